//! Reads one PromQL query: every name, label and value in it must be one that can be, and what comes out is told.
//!
//! Prometheus itself takes a wrong name without a word: the panel stays empty, or the alert silent.

use super::{
    names::{Names, Read, Series},
    place::Place,
    shape::{Shape, Values},
};
use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{
        AggregateExpr, AtModifier, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality,
        VectorSelector, parse, value::ValueType,
    },
};
use std::{slice, time::Duration};

/// Functions that make a counter worth looking at.
const OF_COUNTERS: &[&str] = &["rate", "increase", "irate", "resets"];

/// Stands for a function where only it matters whether a series is there.
const PRESENCE: &str = "";

/// One query, as it is read.
pub struct Query<'a> {
    names: &'a Names,
    place: Place,
    /// Labels that have to be matched wherever there are such.
    filters: &'a [&'a str],
    /// Selectors that look at another time at every point of a graph.
    moving: usize,
    faults: Vec<String>,
}

impl<'a> Query<'a> {
    pub fn new(names: &'a Names, place: Place, filters: &'a [&'a str]) -> Self {
        Self { names, place, filters, moving: 0, faults: Vec::new() }
    }

    /// What comes out of a query, and what is wrong with it.
    pub fn read(self, text: &str) -> (Shape, Vec<String>) {
        self.read_for(text, None)
    }

    /// The same where series are only looked for, as in `label_values`.
    pub fn find(self, text: &str) -> (Shape, Vec<String>) {
        self.read_for(text, Some(PRESENCE))
    }

    fn read_for(mut self, text: &str, function: Option<&str>) -> (Shape, Vec<String>) {
        match parse(text) {
            Ok(expr) => {
                let shape = self.shape(&expr, function);
                (shape, self.faults)
            }
            Err(error) => (Shape::default(), vec![format!("cannot be parsed: {error}: {text}")]),
        }
    }

    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    /// `function` is what an expression is handed to, if it is.
    fn shape(&mut self, expr: &Expr, function: Option<&str>) -> Shape {
        match expr {
            Expr::Paren(inner) => self.shape(&inner.expr, function),
            Expr::Unary(inner) => self.shape(&inner.expr, None),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Shape::default(),
            Expr::VectorSelector(selector) => {
                self.selector(selector, function.filter(|function| *function == PRESENCE))
            }
            Expr::MatrixSelector(matrix) => {
                self.window(matrix.range, matrix.vs.at.as_ref(), function);
                self.selector(&matrix.vs, function)
            }
            Expr::Subquery(subquery) => {
                self.window(subquery.range, subquery.at.as_ref(), function);
                self.shape(&subquery.expr, None)
            }
            Expr::Call(call) => self.call(call),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Extension(_) => unreachable!("the parser makes none"),
        }
    }

    fn window(&mut self, range: Duration, at: Option<&AtModifier>, function: Option<&str>) {
        if let Some(objection) = self.place.objection(range, at, function) {
            self.fault(objection.to_owned());
        }
    }

    fn selector(&mut self, selector: &VectorSelector, function: Option<&str>) -> Shape {
        let name = selector.name.as_deref().unwrap_or_default();
        let Some(series) = self.names.find(name) else {
            self.fault(format!("there is no metric `{name}`"));
            return Shape::any([].into());
        };
        self.reading(name, series.read, function);
        self.moving += usize::from(!matches!(selector.at, Some(AtModifier::End)));
        if !selector.matchers.or_matchers.is_empty() {
            self.fault("matchers joined by `or`: not every Prometheus knows them".to_owned());
        }
        let mut labels = series.labels.clone();
        for matcher in &selector.matchers.matchers {
            self.matcher(name, series, matcher);
            if let Some(values) = labels.get_mut(&matcher.name) {
                narrow(values, matcher);
            }
        }
        for filter in self.filters {
            let is_matched = selector.matchers.matchers.iter().any(|matcher| matcher.name == *filter);
            if series.labels.contains_key(*filter) && !is_matched {
                self.fault(format!("`{name}` is not filtered by `{filter}`"));
            }
        }
        if series.any_label { Shape::any(labels) } else { Shape::of(labels) }
    }

    fn reading(&mut self, name: &str, read: Read, function: Option<&str>) {
        let as_counter = function.is_some_and(|function| OF_COUNTERS.contains(&function));
        match read {
            _ if function == Some(PRESENCE) => {}
            Read::Counter if !as_counter => {
                self.fault(format!("`{name}` is a counter, and read without `rate` or `increase`"));
            }
            Read::Gauge if as_counter => {
                self.fault(format!("`{name}` is a gauge, and read with `{}`", function.unwrap_or_default()));
            }
            _ => {}
        }
    }

    fn matcher(&mut self, name: &str, series: &Series, matcher: &Matcher) {
        let values = match series.labels.get(&matcher.name) {
            Some(values) => values,
            None if series.any_label => return,
            None => return self.fault(format!("`{name}` has no label `{}`", matcher.name)),
        };
        let Values::Closed(values) = values else { return };
        let words = match &matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => vec![matcher.value.as_str()],
            MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
        };
        let is_word = |word: &str| !word.contains(['*', '.', '+', '?', '(', '[', '\\']);
        for word in words {
            let is_known = values.contains(word)
                || matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_)) && !is_word(word);
            if !is_known {
                self.fault(format!("`{}` of `{name}` is never `{word}`", matcher.name));
            }
        }
    }

    fn call(&mut self, call: &Call) -> Shape {
        let function = call.func.name;
        let mut result = Shape::default();
        for argument in &call.args.args {
            let shape = self.shape(argument, Some(function));
            if matches!(argument.value_type(), ValueType::Vector | ValueType::Matrix) {
                result = shape;
            }
        }
        match function {
            "histogram_quantile" => {
                if !result.has("le") {
                    self.fault("`histogram_quantile` without `le`".to_owned());
                }
                result.without(&["le"])
            }
            "absent" | "absent_over_time" | "vector" | "scalar" | "time" => Shape::default(),
            "label_replace" | "label_join" => {
                self.fault(format!("`{function}` makes labels that nothing declares"));
                result
            }
            _ => result,
        }
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Shape {
        let moving = self.moving;
        let inner = self.shape(&aggregate.expr, None);
        let is_moving = self.moving > moving;
        let op = aggregate.op.to_string();
        let kept = match &aggregate.modifier {
            Some(LabelModifier::Include(by)) => {
                self.known(&format!("{op} by"), &by.labels, slice::from_ref(&inner));
                inner.only(&by.labels)
            }
            Some(LabelModifier::Exclude(names)) => {
                self.known(&format!("{op} without"), &names.labels, slice::from_ref(&inner));
                inner.clone().without(&names.labels.iter().map(String::as_str).collect::<Vec<_>>())
            }
            None => Shape::default(),
        };
        if op != "topk" && op != "bottomk" {
            return kept;
        }
        if self.place == Place::Graph && is_moving {
            self.fault(format!(
                "`{op}` chooses anew at every point of a graph; rank by the range, `@ end()`"
            ));
        }
        let most = match aggregate.param.as_deref() {
            Some(Expr::NumberLiteral(number)) => number.val as usize,
            _ => return inner,
        };
        inner.capped(kept.most().map(|groups| groups * most))
    }

    fn known(&mut self, place: &str, labels: &[String], sides: &[Shape]) {
        for label in labels {
            if !sides.iter().all(|side| side.has(label)) {
                self.fault(format!("`{place} ({label})`, where there is no such label"));
            }
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Shape {
        let op = binary.op.to_string();
        let left = self.shape(&binary.lhs, None);
        let right = self.shape(&binary.rhs, (op == "and" || op == "unless").then_some(PRESENCE));
        if binary.lhs.value_type() == ValueType::Scalar {
            return right;
        }
        if binary.rhs.value_type() == ValueType::Scalar {
            return left;
        }
        if op == "or" {
            return left.or(&right);
        }
        let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
        let on = match matching {
            Some(LabelModifier::Include(on)) => {
                self.known(&format!("{op} on"), &on.labels, &[left.clone(), right.clone()]);
                Some(on.labels.clone())
            }
            Some(LabelModifier::Exclude(_)) => None,
            None => {
                if !left.any_label && !right.any_label && !left.labels.keys().eq(right.labels.keys()) {
                    let names = |shape: &Shape| shape.labels.keys().cloned().collect::<Vec<_>>().join(", ");
                    self.fault(format!(
                        "the sides of `{op}` never match: ({}) and ({})",
                        names(&left),
                        names(&right)
                    ));
                }
                Some(left.labels.keys().cloned().collect())
            }
        };
        let Some(on) = on else { return left };
        let is_whole = left.labels.keys().all(|label| on.contains(label));
        let filters = binary.op.is_set_operator() || binary.op.is_comparison_operator();
        let is_grouped = binary
            .modifier
            .as_ref()
            .is_some_and(|modifier| matches!(modifier.card, VectorMatchCardinality::ManyToOne(_)));
        if op == "unless" || (!is_whole && (filters || is_grouped)) {
            left
        } else if filters {
            left.capped(right.most())
        } else {
            left.only(&on).capped(left.most()).capped(right.most())
        }
    }
}

/// What a label can still say.
fn narrow(values: &mut Values, matcher: &Matcher) {
    match (values, &matcher.op) {
        (Values::Closed(values), _) => values.retain(|value| matcher.is_match(value)),
        (values, MatchOp::Equal) => *values = Values::Closed([matcher.value.clone()].into()),
        _ => {}
    }
}
