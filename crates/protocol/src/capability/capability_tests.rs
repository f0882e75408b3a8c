use super::catalogue::{families_of, lineage, via};
use super::*;
use crate::provider::{PRESETS, Preset, ProviderKind, preset};
use std::collections::BTreeSet;

#[test]
fn no_row_of_either_data_file_is_lost() {
    let count = |text| families::lines(text).count();
    assert_eq!(families::rows().count(), count(families::FILE), "a line is not understood");
    for line in families::lines(members::FILE) {
        assert!(members::parse(line).is_some(), "not understood: {line}");
    }
    assert!(families::rows().count() > 50 && members::rows().count() > 400);
}

#[test]
fn the_data_files_are_sorted_and_name_only_what_there_is() {
    let names: Vec<_> = families::rows().map(|row| (row.provider, row.models.0)).collect();
    assert!(names.is_sorted_by(|one, next| one < next), "out of order, or twice");
    let providers: Vec<_> =
        families::lines(members::FILE).map(|line| line.split(',').next().unwrap_or_default()).collect();
    assert!(providers.is_sorted(), "out of order");
    for provider in names.iter().map(|(provider, _)| *provider).chain(providers) {
        assert!(preset(provider).is_some(), "{provider} is no preset");
    }
    for row in families::rows() {
        let (year, month) = row.as_of.split_once('-').unwrap();
        assert!(year.len() == 4 && year >= "2026" && ("01"..="12").contains(&month), "{row:?}");
        assert!(row.max_output.is_none_or(|most| (1_000..2_000_000).contains(&most)), "{row:?}");
    }
}

#[test]
fn every_provider_says_what_holds_for_its_models_in_general() {
    for preset in PRESETS {
        let (general, _) = families_of(preset.id).last().expect("families");
        assert_eq!(general, "*", "{}", preset.id);
    }
}

#[test]
fn a_member_s_row_is_for_models_that_have_one_and_no_member_has_two() {
    let known: BTreeSet<_> = families::rows().map(|row| (row.provider, row.models.0)).collect();
    let mut seen = BTreeSet::new();
    for row in members::rows() {
        let is_named = row.models == "*" || known.contains(&(row.provider, row.models));
        assert!(is_named, "no family is called so: {row:?}");
        let wire = if row.wire == row.client { "same" } else { row.wire.as_str() };
        let key = (row.provider, row.models, row.client.as_str(), wire, row.member);
        assert!(seen.insert(key), "twice: {row:?}");
    }
}

#[test]
fn a_member_s_row_can_be_reached() {
    for row in members::rows() {
        let is_own = row.wire == row.client;
        let reaches = |preset: &Preset| {
            let mut served = families_of(preset.id).filter(|(_, family)| family.serves(row.client));
            lineage(preset).contains(&row.provider)
                && if is_own { served.next().is_some() } else { via(preset.kind) == row.wire }
        };
        assert!(PRESETS.iter().any(reaches), "{row:?}");
    }
}

#[test]
fn an_operator_s_word_on_endpoints_decides_how_members_are_treated() {
    let known = family("vllm", "m");
    let chat_alone = known.serving(Endpoints::NONE.with(Dialect::Chat));
    assert_eq!(known.treatment(Dialect::Responses, "previous_response_id"), Treatment::Native);
    assert_eq!(chat_alone.treatment(Dialect::Responses, "previous_response_id"), Treatment::Refused);
    assert_eq!(chat_alone.treatment(Dialect::Responses, "thinking_history"), Treatment::Native);
    assert_eq!(chat_alone.treatment(Dialect::Completions, "suffix"), Treatment::Refused);
    let with_messages = known.serving(Endpoints::NONE.with(Dialect::Chat).with(Dialect::Messages));
    assert_eq!(with_messages.wire(Dialect::Messages), Some(Dialect::Messages));
    assert_eq!(with_messages.treatment(Dialect::Messages, "container"), Treatment::Native);
}

#[test]
fn malformed_lines_are_refused() {
    for line in [
        "openai,*,chat,,none",
        "openai,*,chat,,none,2026-11,x",
        "openai,*,chats,,none,2026-11",
        "openai,*,chat,many,none,2026-11",
        "openai,*,chat,,some,2026-11",
    ] {
        assert_eq!(families::Row::parse(line), None, "{line}");
    }
    for line in [
        "openai,*,chat,same,n,native",
        "openai,*,chat,same,n,natively,",
        "openai,*,chats,same,n,native,",
        "openai,*,chat,chat,n,native,",
        "openai,*,chat,other,n,native,",
        "openai,*,chat,same,,native,",
        "openai,*,,same,n,native,",
        "openai,*,chat,same,n,native,a,b",
    ] {
        assert_eq!(members::parse(line), None, "{line}");
    }
}

#[test]
fn a_pattern_stands_for_its_models() {
    let include = |models, model| families::Models(models).include(model);
    for (models, model, expected) in [
        ("*", "", true),
        ("*", "x/y", true),
        ("o1", "o1", true),
        ("o1", "o1-mini", false),
        ("o1*", "o1", true),
        ("o1*", "o1-mini", true),
        ("o1*", "o3", false),
        ("*gpt-oss*", "openai/gpt-oss-20b", true),
        ("*gpt-oss*", "gpt-oss", true),
        ("*gpt-oss*", "gpt-os", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c", false),
        ("a*a", "a", false),
        ("*-b", "a-b", true),
        ("*-b", "a-bc", false),
    ] {
        assert_eq!(include(models, model), expected, "{models} {model}");
    }
}

#[test]
fn the_closest_family_holds() {
    let known = |preset, model| {
        let family = family(preset, model);
        (family.max_output, family.thinking)
    };
    for (preset, model, expected) in [
        ("anthropic", "claude-opus-4-5-20251101", (Some(64_000), Thinking::Budget)),
        ("anthropic", "claude-opus-4-20250514", (Some(32_000), Thinking::Budget)),
        ("anthropic", "claude-opus-4-1", (Some(32_000), Thinking::Budget)),
        ("anthropic", "claude-opus-4-8", (Some(128_000), Thinking::Adaptive)),
        ("anthropic", "claude-opus-5-5", (Some(128_000), Thinking::Adaptive)),
        ("anthropic", "claude-sonnet-4-5", (Some(64_000), Thinking::Budget)),
        ("anthropic", "claude-sonnet-5", (Some(128_000), Thinking::Adaptive)),
        ("anthropic", "claude-fable-5-1", (Some(128_000), Thinking::Always)),
        ("anthropic", "claude-haiku-4-5", (Some(64_000), Thinking::Budget)),
        ("anthropic", "claude-haiku-5-5", (Some(128_000), Thinking::Adaptive)),
        ("anthropic", "claude-3-5-haiku-20241022", (Some(8_192), Thinking::None)),
        ("anthropic", "claude-3-haiku-20240307", (Some(4_096), Thinking::None)),
        ("anthropic", "claude-3-7-sonnet-20250219", (Some(64_000), Thinking::Budget)),
        ("anthropic", "claude-next-9", (None, Thinking::Adaptive)),
        ("anthropic", "deployment-7", (None, Thinking::Budget)),
        ("openai", "gpt-5.1-mini", (Some(128_000), Thinking::Adaptive)),
        ("openai", "gpt-5-chat-latest", (Some(16_384), Thinking::None)),
        ("openai", "gpt-4o-mini", (Some(16_384), Thinking::None)),
        ("openai", "gpt-6", (None, Thinking::Adaptive)),
        ("azure", "gpt-4.1", (Some(32_768), Thinking::None)),
        ("azure", "my-deployment", (None, Thinking::None)),
        ("groq", "openai/gpt-oss-120b", (None, Thinking::Adaptive)),
        ("vllm", "anything", (None, Thinking::Adaptive)),
        ("nobody", "anything", (None, Thinking::Adaptive)),
    ] {
        assert_eq!(known(preset, model), expected, "{preset} {model}");
    }
}

#[test]
fn every_model_with_a_published_price_at_anthropic_has_a_family_with_a_length() {
    for row in crate::price::published::rows().filter(|row| row.kind == "anthropic") {
        assert!(family(row.kind, row.model).max_output.is_some(), "{}", row.model);
    }
}

#[test]
fn a_request_goes_there_in_a_dialect_that_is_served() {
    use Dialect::{Chat, Completions, CountTokens, Embeddings, Messages, Responses};
    for (preset, model, client, expected) in [
        ("openai", "gpt-3.5-turbo-instruct", Completions, Completions),
        ("openai", "gpt-3.5-turbo-instruct-0914", Completions, Completions),
        ("openai", "davinci-002", Completions, Completions),
        ("openai", "gpt-4o", Completions, Chat),
        ("openai", "gpt-4o", Responses, Responses),
        ("openai", "gpt-4o", Messages, Chat),
        ("azure", "gpt-35-turbo-instruct", Completions, Completions),
        ("azure", "anything", Responses, Responses),
        ("openai_compatible", "m", Completions, Completions),
        ("openai_compatible", "m", Responses, Responses),
        ("openai_compatible", "m", Messages, Chat),
        ("groq", "m", Completions, Chat),
        ("groq", "m", Responses, Responses),
        ("mistral", "m", Responses, Chat),
        ("mistral", "m", Embeddings, Embeddings),
        ("deepseek", "m", Completions, Chat),
        ("deepseek", "m", Responses, Chat),
        ("openrouter", "m", Messages, Messages),
        ("vllm", "m", Messages, Chat),
        ("anthropic", "claude-opus-5", Chat, Messages),
        ("anthropic", "claude-opus-5", Completions, Messages),
        ("anthropic", "claude-opus-5", Responses, Messages),
        ("anthropic", "claude-opus-5", Messages, Messages),
        ("nobody", "m", Messages, Chat),
    ] {
        assert_eq!(family(preset, model).wire(client), Some(expected), "{preset} {model} {client:?}");
    }
    assert!(!family("anthropic", "claude-opus-5").serves(Embeddings));
    let counts = |preset, model| family(preset, model).wire(CountTokens).is_some();
    assert!(counts("anthropic", "claude-opus-5") && !counts("vllm", "m"));
    assert_eq!(family("anthropic", "claude-opus-5").wire(Embeddings), None);
}

#[test]
fn every_provider_can_be_spoken_to_in_what_translations_end_in() {
    for preset in PRESETS {
        for (models, family) in families_of(preset.id) {
            let only_completes = family.serves(Dialect::Completions) && !family.serves(Dialect::Chat);
            let wire = match preset.kind {
                ProviderKind::Anthropic => Dialect::Messages,
                _ => Dialect::Chat,
            };
            assert!(only_completes || family.serves(wire), "{} {models}", preset.id);
        }
    }
}

#[test]
fn members_become_what_the_tables_say() {
    use Dialect::{Chat, Completions, Messages, Responses};
    use Treatment::{Dropped, Emulated, Native, Refused, Translated};
    for (preset, model, client, member, expected) in [
        ("anthropic", "claude-sonnet-4-5", Chat, "stop", Translated),
        ("anthropic", "claude-sonnet-4-5", Chat, "top_k", Native),
        ("anthropic", "claude-sonnet-4-5", Chat, "logit_bias", Dropped),
        ("anthropic", "claude-sonnet-4-5", Chat, "n", Refused),
        ("anthropic", "claude-sonnet-4-5", Chat, "a_member_of_tomorrow", Dropped),
        ("anthropic", "claude-sonnet-4-5", Messages, "a_member_of_tomorrow", Native),
        ("anthropic", "claude-sonnet-4-5", Completions, "a_member_of_tomorrow", Dropped),
        ("anthropic", "claude-sonnet-4-5", Responses, "store", Emulated),
        ("anthropic", "claude-sonnet-4-5", Chat, "temperature", Translated),
        ("anthropic", "claude-opus-4-7", Chat, "temperature", Dropped),
        ("anthropic", "claude-opus-4-7", Messages, "temperature", Native),
        ("anthropic", "claude-next-9", Responses, "top_p", Dropped),
        ("openai", "gpt-4o", Chat, "cache_control", Dropped),
        ("openai", "gpt-4o", Chat, "a_member_of_tomorrow", Native),
        ("openai", "gpt-4o", Messages, "cache_control", Dropped),
        ("openai", "gpt-4o", Messages, "thinking", Dropped),
        ("openai", "gpt-4o", Messages, "temperature", Native),
        ("openai", "gpt-5", Messages, "thinking", Translated),
        ("openai", "gpt-5", Messages, "temperature", Dropped),
        ("azure", "gpt-5", Messages, "thinking", Translated),
        ("azure", "deployment", Messages, "thinking", Dropped),
        ("azure", "deployment", Chat, "cache_control", Dropped),
        ("openai", "gpt-4o", Completions, "suffix", Refused),
        ("openai", "gpt-4o", Completions, "a_member_of_tomorrow", Native),
        ("openai", "davinci-002", Completions, "suffix", Native),
        ("openai_compatible", "m", Messages, "cache_control", Native),
        ("openai_compatible", "m", Messages, "thinking_history", Dropped),
        ("openai_compatible", "m", Messages, "a_member_of_tomorrow", Dropped),
        ("deepseek", "deepseek-v4-pro", Messages, "thinking_history", Native),
        ("vllm", "m", Messages, "thinking_history", Native),
        ("vllm", "m", Messages, "top_k", Native),
        ("mistral", "m", Messages, "top_k", Dropped),
        ("deepseek", "m", Responses, "previous_response_id", Refused),
        ("deepseek", "m", Responses, "metadata", Emulated),
        ("vllm", "m", Responses, "previous_response_id", Native),
        ("nobody", "m", Messages, "stop_sequences", Translated),
    ] {
        assert_eq!(family(preset, model).treatment(client, member), expected, "{preset} {model} {member}");
    }
}

#[test]
fn what_every_target_has_is_left_out_only_by_a_row() {
    let leaves_out = |preset, model, member| family(preset, model).leaves_out(Dialect::Messages, member);
    assert!(leaves_out("openai", "gpt-5", "temperature") && leaves_out("gemini", "m", "cache_control"));
    assert!(!leaves_out("openai", "gpt-4o", "temperature") && !leaves_out("vllm", "m", "cache_control"));
    assert!(!leaves_out("vllm", "m", "a_member_of_tomorrow"), "of which no table says anything");
}

#[test]
fn what_a_preset_takes_out_is_dropped_by_the_table_too() {
    for preset in PRESETS {
        for (models, family) in families_of(preset.id) {
            for field in preset.drop_fields.iter().filter(|field| !field.contains('*')) {
                let wire = Dialect::Chat;
                if family.serves(wire) {
                    assert_eq!(family.treatment(wire, field), Treatment::Dropped, "{} {models}", preset.id);
                }
            }
        }
    }
}

#[test]
fn what_a_provider_lacks_is_what_it_cannot_be_asked_for() {
    let missing =
        |preset, model| -> Vec<&str> { lacks(family(preset, model)).iter().map(Feature::as_str).collect() };
    assert_eq!(missing("anthropic", "claude-opus-5"), ["logprobs", "samples"]);
    assert_eq!(missing("groq", "llama-3.3-70b-versatile"), ["logprobs", "samples"]);
    for (preset, model) in [("openai", "gpt-4o"), ("azure", "d"), ("vllm", "m"), ("openai_compatible", "m")] {
        assert_eq!(missing(preset, model), [""; 0], "{preset}");
    }
}

#[test]
fn of_a_family_without_a_table_only_completions_go_on_as_they_are() {
    for client in Dialect::ALL {
        let expected = if client == Dialect::Completions { Treatment::Native } else { Treatment::Dropped };
        assert_eq!(PLAIN.treatment(client, "seed"), expected, "{client:?}");
        assert!(!PLAIN.leaves_out(client, "temperature"), "{client:?}");
    }
}
