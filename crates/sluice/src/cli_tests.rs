//! What operators type.

use super::*;
use clap::{CommandFactory as _, error::ErrorKind};
use std::path::Path;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn serving_needs_no_word() {
    let bare = parse("sluice").unwrap();
    assert!(bare.command.is_none());
    let with_file = parse("sluice --config a.yaml").unwrap();
    assert_eq!(with_file.serve.config.as_deref(), Some(Path::new("a.yaml")));
    assert!(matches!(parse("sluice serve -c b.yaml").unwrap().command,
        Some(Command::Serve(ServeArgs { config: Some(file) })) if file == Path::new("b.yaml")));
}

#[test]
fn flags_of_serve_do_not_mix_with_another_command() {
    assert!(parse("sluice --config a.yaml schema").is_err());
}

#[test]
fn check_takes_several_files_and_at_least_one() {
    let Some(Command::Check(args)) =
        parse("sluice check a.yaml b.yaml --strict --env-optional").unwrap().command
    else {
        panic!("not check")
    };
    assert_eq!(args.files, [Path::new("a.yaml"), Path::new("b.yaml")]);
    assert!(args.strict && args.env_optional);
    assert_eq!(parse("sluice check").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
}

#[test]
fn a_key_has_defaults_and_a_plain_name() {
    let Some(Command::Key(KeyCommand::New(args))) =
        parse("sluice key new web --models a,gpt-*").unwrap().command
    else {
        panic!("not key new")
    };
    assert_eq!(
        (args.tenant.as_str(), args.models.as_slice()),
        ("default", &["a".to_owned(), "gpt-*".to_owned()][..])
    );
    assert!(parse("sluice key new a:b").is_err());
    assert!(Cli::try_parse_from(["sluice", "key", "new", ""]).is_err());
    assert!(Cli::try_parse_from(["sluice", "key", "new", "two words"]).is_err());
}

#[test]
fn every_command_of_the_table_is_there() {
    for line in [
        "sluice schema",
        "sluice config default",
        "sluice config show a.yaml",
        "sluice explain a.yaml --model m",
        "sluice explain a.yaml --model m --key k --endpoint chat --body - --header x-sluice-cache:off --json",
        "sluice explain --live a.yaml --model m",
        "sluice explain a.yaml --live=gateway:4001 --model m --json",
        "sluice usage",
        "sluice usage --config a.yaml --by day --since 2026-11-01 --until today --csv",
        "sluice usage --state-dir data --by model --since month --json",
        "sluice usage --records --since 24h --limit 5 --json",
        "sluice key new web --tenant search",
        "sluice import litellm config.yaml",
        "sluice import litellm config.yaml --output sluice.yaml",
        "sluice mock --listen 127.0.0.1:0",
        "sluice health --admin 127.0.0.1:4001",
        "sluice health --url http://127.0.0.1:4001",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn usage_refuses_what_does_not_go_together_and_times_that_mean_nothing() {
    for (line, kind) in [
        ("sluice usage --since yesterday", ErrorKind::ValueValidation),
        ("sluice usage --until 2026-11-31", ErrorKind::ValueValidation),
        ("sluice usage --by week", ErrorKind::InvalidValue),
        ("sluice usage --csv --json", ErrorKind::ArgumentConflict),
        ("sluice usage --records --csv", ErrorKind::ArgumentConflict),
        ("sluice usage --records --by day", ErrorKind::ArgumentConflict),
        ("sluice usage --limit 5", ErrorKind::MissingRequiredArgument),
        ("sluice usage --records --limit -1", ErrorKind::UnknownArgument),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
    }
}

#[test]
fn help_names_every_environment_variable() {
    let help = Cli::command().render_help().to_string();
    for name in [env::CONFIG, env::LOG, env::WORKERS, "SLUICE__"] {
        assert!(help.contains(name), "{name} is not in --help");
    }
}
