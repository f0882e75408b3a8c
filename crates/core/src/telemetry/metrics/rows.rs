//! Counters of many owners with a closed last label: those of one owner lie side by side, 8 bytes each.
//!
//! Vectors of the prometheus crate keep a copy of name, help and labels with each series, some 400 bytes. A client key
//! has a dozen series.

use prometheus::{
    core::{Collector, Desc},
    proto::{Counter, LabelPair, Metric, MetricFamily, MetricType},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A family of counters. Its labels are two that tell the owner, and the closed one.
#[derive(Clone)]
pub struct CounterRows(Arc<Shared>);

struct Shared {
    desc: Desc,
    words: &'static [&'static str],
    rows: Mutex<HashMap<Owner, Known>>,
}

/// The values of the first two labels.
type Owner = [Box<str>; 2];

struct Known {
    row: CounterRow,
    /// One bit a counter that is shown though it has counted nothing yet.
    from_zero: u64,
}

/// The counters of one owner, in the order of the closed label's words.
#[derive(Clone)]
pub struct CounterRow(Arc<[AtomicU64]>);

impl CounterRow {
    /// Counts `amount` of the word at `index`.
    pub fn add(&self, index: usize, amount: u64) {
        if let Some(counter) = self.0.get(index) {
            counter.fetch_add(amount, Relaxed);
        }
    }
}

impl CounterRows {
    pub(super) fn new(
        name: &str,
        help: &str,
        labels: &[&str],
        words: &'static [&'static str],
    ) -> prometheus::Result<Self> {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())?;
        Ok(Self(Arc::new(Shared { desc, words, rows: Mutex::default() })))
    }

    /// The counters of an owner, the same as whoever asked before has. Those at `from_zero` are shown from now on,
    /// so that `increase` sees the first event; any other once it has counted.
    #[must_use]
    pub fn row(&self, owner: [&str; 2], from_zero: impl Iterator<Item = usize>) -> CounterRow {
        let empty = || Known {
            row: CounterRow(self.0.words.iter().map(|_| AtomicU64::new(0)).collect()),
            from_zero: 0,
        };
        let mut rows = self.rows();
        let known = rows.entry(owner.map(Into::into)).or_insert_with(empty);
        known.from_zero = from_zero.fold(known.from_zero, |shown, index| shown | 1 << index);
        known.row.clone()
    }

    /// Lets go of an owner's counters, all of them: told the labels of any. Says nothing of whether there were some.
    pub(super) fn remove(&self, labels: &HashMap<&str, &str>) -> prometheus::Result<()> {
        let value = |index| {
            let name: Option<&String> = self.0.desc.variable_labels.get(index);
            name.and_then(|name| labels.get(name.as_str()))
                .map_or_else(Box::default, |value| Box::from(*value))
        };
        self.rows().remove(&[value(0), value(1)]);
        Ok(())
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Owner, Known>> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for CounterRows {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Shared { desc, words, .. } = &*self.0;
        let mut metrics = Vec::new();
        for (owner, known) in self.rows().iter() {
            for (index, (counter, word)) in known.row.0.iter().zip(*words).enumerate() {
                let count = counter.load(Relaxed);
                if count == 0 && known.from_zero >> index & 1 == 0 {
                    continue;
                }
                let values = owner.iter().map(AsRef::as_ref).chain([*word]);
                let mut labels: Vec<_> = desc.variable_labels.iter().zip(values).map(label).collect();
                // As the crate's own vectors have them, by name.
                labels.sort_unstable();
                let mut counter = Counter::default();
                counter.set_value(count as f64);
                let mut metric = Metric::from_label(labels);
                metric.set_counter(counter);
                metrics.push(metric);
            }
        }
        let mut family = MetricFamily::default();
        family.set_name(desc.fq_name.clone());
        family.set_help(desc.help.clone());
        family.set_field_type(MetricType::COUNTER);
        family.set_metric(metrics);
        vec![family]
    }
}

fn label((name, value): (&String, &str)) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.clone());
    label.set_value(value.to_owned());
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Registry, TextEncoder};

    fn text(of: &CounterRows) -> String {
        let registry = Registry::new();
        registry.register(Box::new(of.clone())).unwrap();
        TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
    }

    #[test]
    fn a_row_reads_as_counters_of_the_crate_do() {
        let labels = ["tenant", "key", "end"];
        let rows = CounterRows::new("ends_total", "Ends.", &labels, &["good", "bad", "rare"]).unwrap();
        let own =
            prometheus::IntCounterVec::new(prometheus::Opts::new("ends_total", "Ends."), &labels).unwrap();
        for (tenant, key, good) in [("b", "k\"1\n", 3), ("a", "k2", 0)] {
            let row = rows.row([tenant, key], [0, 1].into_iter());
            row.add(0, good);
            own.with_label_values(&[tenant, key, "good"]).inc_by(good);
            own.with_label_values(&[tenant, key, "bad"]);
        }
        let registry = Registry::new();
        registry.register(Box::new(own)).unwrap();
        assert_eq!(text(&rows), TextEncoder::new().encode_to_string(&registry.gather()).unwrap());
    }

    #[test]
    fn an_owner_s_counters_are_shared_until_they_are_let_go_of() {
        let rows = CounterRows::new("n", "N.", &["tenant", "key", "end"], &["good", "bad"]).unwrap();
        let (first, second) = (rows.row(["t", "k"], [0].into_iter()), rows.row(["t", "k"], [].into_iter()));
        first.add(0, 2);
        second.add(0, 3);
        second.add(7, 1);
        assert!(text(&rows).contains("n{end=\"good\",key=\"k\",tenant=\"t\"} 5\n"));
        assert!(!text(&rows).contains("bad"));
        let _kept = rows.row(["t", "other"], [0].into_iter());
        rows.remove(&HashMap::from([("tenant", "t"), ("key", "k"), ("end", "good")])).unwrap();
        first.add(0, 1);
        assert_eq!(text(&rows).matches("n{").count(), 1);
        assert!(text(&rows).contains("key=\"other\""));
    }
}
