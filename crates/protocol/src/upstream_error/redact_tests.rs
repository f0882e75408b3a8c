use super::*;
use proptest::prelude::*;

#[test]
fn keys_and_addresses_are_hidden_and_the_rest_stays() {
    for (text, clean) in [
        // keys
        (
            "Incorrect API key provided: sk-proj-****wxyz. You can find yours at https://platform.openai.com/account/api-keys.",
            "Incorrect API key provided: [key]. You can find yours at [url].",
        ),
        ("Invalid token \"sk-abcdef\"", "Invalid token \"[key]\""),
        ("key-1234 was revoked", "[key] was revoked"),
        ("Authorization: Bearer abcdefgh12 was refused", "Authorization: Bearer [key] was refused"),
        ("schlüssel“sk-ant-api03-xyz”", "schlüssel“[key]”"),
        ("request had api_key=hunter2&x=1", "request had api_key=[key]"),
        ("digest d41d8cd98f00b204e9800998ecf8427e is known", "digest [key] is known"),
        ("token 9f+Kd0/aZ81mQx7Lr2Vt5Wb3Ny6Hc4Js= is known", "token [key] is known"),
        (
            "key 0c6b5a2e-7f5e-4a0a-9d57-1f0e2a3b4c5d, as some vendors have it",
            "key [key], as some vendors have it",
        ),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt [key]"),
        (
            "limit for gpt-4o in organization org-AbCdEf123456 reached",
            "limit for gpt-4o in organization [key] reached",
        ),
        // addresses
        ("dial tcp 10.1.2.3:8000: connect refused", "dial tcp [address]: connect refused"),
        ("from /192.168.0.7 to 10.0.0.1:80->[2001:db8::1]:443", "from /[address] to [address]->[address]"),
        ("peer fe80::1%eth0, ::1 and 10.0.0.0/8", "peer [address], [address] and [address]"),
        ("vllm-0.vllm.svc:8000 and gpu:8000 are down", "[address] and [address] are down"),
        ("cannot resolve api.internal.example.com", "cannot resolve [address]"),
        ("at http://user:pw@h:1/p?q=1 (cached)", "at [url] (cached)"),
        ("url=https://h/x failed", "url=[url] failed"),
        ("localhost:11434 refused; localhost too", "[address] refused; [address] too"),
        // what people need to read
        (
            "body.temperature: expected number <= 2, got 2.5 at 12:30:45",
            "body.temperature: expected number <= 2, got 2.5 at 12:30:45",
        ),
        (
            "The model `accounts/fireworks/models/deepseek-v3p1` does not exist",
            "The model `accounts/fireworks/models/deepseek-v3p1` does not exist",
        ),
        (
            "deepseek-ai/DeepSeek-R1-Distill-Llama-70B, meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "deepseek-ai/DeepSeek-R1-Distill-Llama-70B, meta-llama/Llama-3.3-70B-Instruct-Turbo",
        ),
        ("two key-value pairs, e.g. messages[0].content", "two key-value pairs, e.g. messages[0].content"),
        ("std::vec::Vec and :: stay; 温度 too", "std::vec::Vec and :: stay; 温度 too"),
    ] {
        assert_eq!(redact(text, &[]), clean);
    }
}

#[test]
fn given_secrets_are_hidden_wherever_they_stand() {
    let secrets = ["hunter2hunter2", "", "ab"];
    assert_eq!(redact("xhunter2hunter2y about", &secrets), "x[key]y about");
}

#[test]
fn a_word_without_end_is_hidden_unread() {
    assert_eq!(redact(&format!("see {} now", ":".repeat(100_000)), &[]).len(), "see  now".len() + 100_000);
    assert_eq!(redact(&format!("see {}x now", ":".repeat(100_000)), &[]), "see [key] now");
}

#[test]
fn text_is_cut_between_characters() {
    assert_eq!([cut("aéb", 0), cut("aéb", 2), cut("aéb", 3), cut("aéb", 9)], ["", "a", "aé", "aéb"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_secret_survives(before in "[ -~]{0,20}", secret in "[A-Za-z0-9]{16,40}", after in "[ -~é]{0,20}") {
        let text = format!("{before}{secret}{after}");
        prop_assert!(!redact(&text, &[&secret]).contains(&secret));
    }

    #[test]
    fn any_text_is_taken(text in any::<String>()) {
        let _ = redact(&text, &[]);
    }
}
