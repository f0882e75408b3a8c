//! How a family of metrics is declared: its kind, labels, buckets and help, and how the table becomes a registry.
//!
//! Knows no family by name; those are in [`families`](super::families).

use super::CounterRows;
use prometheus::{
    CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};

/// What a family counts like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; read with `rate` or `increase`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
}

/// A label of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Every value that it can have; absent where values come from the configuration, and for statuses.
    pub values: Option<&'static [&'static str]>,
}

/// A family as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Full name.
    pub name: &'static str,
    /// What it counts like.
    pub kind: Kind,
    /// Labels, in the order in which the code gives their values.
    pub labels: &'static [Label],
    /// Upper bounds of a histogram's buckets, without `+Inf`; empty for the other kinds.
    pub buckets: &'static [f64],
    /// One sentence.
    pub help: &'static str,
}

/// Declares every family once: the field that holds it, its type, name, labels, buckets and help.
macro_rules! families {
    (@type counter) => { prometheus::IntCounterVec };
    (@type float_counter) => { prometheus::CounterVec };
    (@type gauge) => { prometheus::IntGaugeVec };
    (@type float_gauge) => { prometheus::GaugeVec };
    (@type counter_rows) => { crate::telemetry::metrics::CounterRows };
    (@type histogram) => { prometheus::HistogramVec };
    (@type single_counter) => { prometheus::IntCounter };
    (@type single_gauge) => { prometheus::IntGauge };
    (@type single_float_gauge) => { prometheus::Gauge };
    (@type single_histogram) => { prometheus::Histogram };
    (@kind counter) => { Kind::Counter };
    (@kind float_counter) => { Kind::Counter };
    (@kind counter_rows) => { Kind::Counter };
    (@kind single_counter) => { Kind::Counter };
    (@kind histogram) => { Kind::Histogram };
    (@kind single_histogram) => { Kind::Histogram };
    (@kind $gauge:ident) => { Kind::Gauge };
    // One counter for each word of the last label.
    (@make $r:ident counter_rows $name:expr, $help:literal, [$one:literal, $other:literal, $label:literal of $words:expr]) => {
        $r.counter_rows($name, $help, &[$one, $other, $label], $words)
    };
    (@make $r:ident $kind:ident $name:expr, $help:literal,
        [$($label:literal $(of $values:expr)?),*] $(, $buckets:ident)?) => {
        $r.$kind($name, $help, &[$($label),*] $(, $buckets)?)
    };
    (@values) => { None };
    (@values $values:expr) => { Some($values) };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
    (@forget counter $vec:expr, $labels:ident) => { $vec.remove($labels).ok() };
    (@forget float_counter $vec:expr, $labels:ident) => { $vec.remove($labels).ok() };
    (@forget counter_rows $vec:expr, $labels:ident) => { $vec.remove($labels).ok() };
    (@forget gauge $vec:expr, $labels:ident) => { $vec.remove($labels).ok() };
    (@forget float_gauge $vec:expr, $labels:ident) => { $vec.remove($labels).ok() };
    (@forget histogram $vec:expr, $labels:ident) => { $vec.remove($labels).ok() };
    (@forget $single:ident $metric:expr, $labels:ident) => { None };
    ($(
        $field:ident = $kind:ident $name:literal
        [$($label:literal $(of $values:expr)?),*] $(in $buckets:ident)? : $help:literal;
    )+) => {
        /// Every family of one gateway.
        pub struct Metrics {
            pub(super) registry: prometheus::Registry,
            $(#[doc = $help] pub $field: families!(@type $kind),)+
        }

        /// Every family of our own, as declared.
        pub const FAMILIES: &[Family] = &[
            $(Family {
                name: concat!("sluice_", $name),
                kind: families!(@kind $kind),
                labels: &[$(Label { name: $label, values: families!(@values $($values)?) }),*],
                buckets: families!(@buckets $($buckets)?),
                help: $help,
            }),+
        ];

        impl Metrics {
            /// Every family, registered, without a series yet but for those that have no labels.
            pub(super) fn register() -> prometheus::Result<Self> {
                let r = Registrar::default();
                $(let $field = families!(@make r $kind concat!("sluice_", $name), $help,
                    [$($label $(of $values)?),*] $(, $buckets)?)?;)+
                Ok(Self { $($field,)+ registry: r.into_registry() })
            }

            /// Lets go of one series. Whoever still has its handle counts where nobody looks.
            pub(super) fn forget(&self, family: &str, labels: &std::collections::HashMap<&str, &str>) {
                let known: Option<()> = match family.strip_prefix("sluice_") {
                    $(Some($name) => families!(@forget $kind self.$field, labels),)+
                    _ => None,
                };
                // It may be gone already.
                known.unwrap_or_default();
            }
        }
    };
}

pub(super) use families;

/// Makes and registers families.
#[derive(Default)]
pub(super) struct Registrar {
    registry: Registry,
}

impl Registrar {
    pub(super) fn into_registry(self) -> Registry {
        self.registry
    }

    fn keep<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> prometheus::Result<C> {
        let collector = made?;
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    pub(super) fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn float_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<CounterVec> {
        self.keep(CounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn counter_rows(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        words: &'static [&'static str],
    ) -> prometheus::Result<CounterRows> {
        self.keep(CounterRows::new(name, help, labels, words))
    }

    pub(super) fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn float_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<GaugeVec> {
        self.keep(GaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }

    pub(super) fn single_counter(
        &self,
        name: &str,
        help: &str,
        _: &[&str],
    ) -> prometheus::Result<IntCounter> {
        self.keep(IntCounter::new(name, help))
    }

    pub(super) fn single_gauge(&self, name: &str, help: &str, _: &[&str]) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::new(name, help))
    }

    pub(super) fn single_float_gauge(&self, name: &str, help: &str, _: &[&str]) -> prometheus::Result<Gauge> {
        self.keep(Gauge::new(name, help))
    }

    pub(super) fn single_histogram(
        &self,
        name: &str,
        help: &str,
        _: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<Histogram> {
        self.keep(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }
}
