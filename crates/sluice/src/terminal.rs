//! What is written for people: results to standard output, everything else to standard error.
//!
//! A closed pipe (`sluice schema | head`) is no failure, so nothing here can panic as `println!` does.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// What was asked for.
pub(crate) fn print(text: &str) {
    write(io::stdout().lock(), text);
}

/// What went wrong, or what a person should know beside the result.
pub(crate) fn tell(text: &str) {
    write(io::stderr().lock(), text);
}

/// May results be coloured?
pub(crate) fn print_in_colour() -> bool {
    io::stdout().is_terminal() && colour_wanted()
}

/// May messages be coloured?
pub(crate) fn tell_in_colour() -> bool {
    is_watched() && colour_wanted()
}

/// Does a person watch the messages?
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

fn colour_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn write(mut to: impl Write, text: &str) {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(to, "{text}{newline}").and_then(|()| to.flush());
}
