//! Where events go: the same sink as the request lines and in the same shape, so that logging never waits
//! and one parser reads it all.
//!
//! Installed once per process by the binary; gateways that tests start in process share what is there.

use crate::{env, terminal};
use serde::{Serializer, ser::SerializeMap as _};
use serde_json::Value;
use sluice_config::model::{LogFormat, LogLevel, Logs};
use sluice_core::LogSink;
use std::{
    fmt,
    io::Write as _,
    panic::PanicHookInfo,
    sync::{Arc, Mutex, PoisonError},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, ParseError, Targets},
    layer::{Context, SubscriberExt as _},
    registry::Registry,
    reload,
    util::SubscriberInitExt as _,
};

/// Changes the level while the process runs.
#[derive(Clone)]
pub(crate) struct LogControl {
    filter: reload::Handle<Targets, Registry>,
    /// The level in force; none where `SLUICE_LOG` holds more than a level.
    level: Arc<Mutex<Option<LogLevel>>>,
}

impl LogControl {
    /// From this level on events are logged; the level until now, where it was one.
    pub(crate) fn set(&self, level: LogLevel) -> Option<LogLevel> {
        let mut own = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        // It only fails when the subscriber is gone, and with it the log.
        let _ = self.filter.reload(of_level(level));
        own.replace(level)
    }
}

/// Sends events to `sink` in the configured shape.
///
/// # Errors
/// When `SLUICE_LOG` cannot be read as a filter.
pub(crate) fn install(logs: Logs, sink: LogSink) -> Result<LogControl, String> {
    let wanted = std::env::var(env::LOG).ok();
    let (filter, handle) = reload::Layer::new(filter(logs.level, wanted.as_deref())?);
    let lines = Lines { sink, format: logs.format };
    // A second gateway in one process keeps the first one's subscriber.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    let is_level = wanted.as_deref().is_none_or(|wanted| wanted.trim().is_empty() || named(wanted).is_some());
    Ok(LogControl { filter: handle, level: Arc::new(Mutex::new(is_level.then_some(logs.level))) })
}

/// The level in force for request lines: `SLUICE_LOG` when it names one level, else the configured one.
pub(crate) fn level(configured: LogLevel) -> LogLevel {
    std::env::var(env::LOG).ok().as_deref().and_then(named).unwrap_or(configured)
}

fn named(wanted: &str) -> Option<LogLevel> {
    Some(match wanted.trim() {
        "trace" => LogLevel::Trace,
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => return None,
    })
}

/// Logs where a panic happened and never what it said: the text may quote a prompt or a key.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!(%place, "panic");
        } else {
            terminal::tell(&format!("error: internal error at {place}; please report it"));
        }
    }));
}

fn filter(configured: LogLevel, wanted: Option<&str>) -> Result<Targets, String> {
    match wanted.map(str::trim).filter(|text| !text.is_empty()) {
        Some(wanted) => wanted.parse().map_err(|fault: ParseError| format!("{}={wanted}: {fault}", env::LOG)),
        None => Ok(of_level(configured)),
    }
}

/// Our own events from this level on, and what libraries warn of.
fn of_level(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    // The target of a module begins with its crate's name: `sluice`, `sluice_core`, ….
    Targets::new().with_default(LevelFilter::WARN).with_target("sluice", own)
}

/// Writes each event as one line.
struct Lines {
    sink: LogSink,
    format: LogFormat,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = format!("{:.3}", jiff::Timestamp::now());
        let mut line = Vec::with_capacity(256);
        let level = *event.metadata().level();
        // Writing to a `Vec` cannot fail, and every value is serialisable.
        match self.format {
            LogFormat::Json => drop(json(&mut line, &time, level, &fields)),
            LogFormat::Text => drop(text(&mut line, &time, level, &fields)),
        }
        line.push(b'\n');
        self.sink.push(&line);
    }
}

/// What an event says: its message, then its fields in their order.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.rest.push((field.name(), value.into()));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        if field.name() == "message" { self.message = value } else { self.put(field, value) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { value.clone_into(&mut self.message) } else { self.put(field, value) }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

fn json(line: &mut Vec<u8>, time: &str, level: Level, fields: &Fields) -> serde_json::Result<()> {
    let mut to = serde_json::Serializer::new(line);
    let mut object = to.serialize_map(None)?;
    object.serialize_entry("time", time)?;
    object.serialize_entry("level", &level.as_str().to_ascii_lowercase())?;
    object.serialize_entry("event", &fields.message)?;
    for (name, value) in &fields.rest {
        object.serialize_entry(name, value)?;
    }
    object.end()
}

fn text(line: &mut Vec<u8>, time: &str, level: Level, fields: &Fields) -> std::io::Result<()> {
    let message = fields.message.replace(char::is_control, " ");
    write!(line, "{time} {} {message}", level.as_str().to_ascii_lowercase())?;
    for (name, value) in &fields.rest {
        match value.as_str() {
            // Bare where that is unambiguous; quoted text cannot forge a line.
            Some(word)
                if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') =>
            {
                write!(line, " {name}={word}")?;
            }
            _ => write!(line, " {name}={value}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(format: LogFormat) -> String {
        let (sink, log) = LogSink::memory();
        let subscriber = tracing_subscriber::registry().with(Lines { sink, format });
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(address = %"127.0.0.1:1", fault = "a\nb", count = 3, "can't\naccept");
        });
        let (_, line) =
            log.text().split_once("Z").map(|(time, line)| (time.to_owned(), line.to_owned())).unwrap();
        line
    }

    #[test]
    fn an_event_is_one_json_object_in_the_shape_of_the_request_lines() {
        let rest =
            r#"","level":"warn","event":"can't\naccept","address":"127.0.0.1:1","fault":"a\nb","count":3}"#;
        assert_eq!(logged(LogFormat::Json), format!("{rest}\n"));
    }

    #[test]
    fn text_quotes_what_could_forge_a_line() {
        assert_eq!(
            logged(LogFormat::Text),
            " warn can't accept address=127.0.0.1:1 fault=\"a\\nb\" count=3\n"
        );
    }

    #[test]
    fn a_filter_that_cannot_be_read_names_its_variable() {
        assert!(filter(LogLevel::Info, Some("sluice=loud")).unwrap_err().contains("SLUICE_LOG=sluice=loud"));
        for right in [None, Some(""), Some("debug"), Some("sluice_core=debug,info")] {
            assert!(filter(LogLevel::Info, right).is_ok(), "{right:?}");
        }
    }
}
