//! A text completion's body as a request in no dialect: the prompt is what a user says.

use crate::canonical::{Block, Content, Request, Role, Text, Turn};
use crate::envelope::Envelope;
use crate::raw;
use crate::translate::{Untranslatable, openai_request};

/// What stands in a template for the prompt.
const PLACE: &str = "{prompt}";

/// Reads a body that has passed its checks. With a template the prompt is put where `{prompt}` stands in it; a
/// template without that place would lose the prompt, and is none.
pub(in crate::translate) fn read_request<'a>(
    call: &'a Envelope,
    template: Option<&str>,
) -> Result<Request<'a>, Untranslatable> {
    let mut request = openai_request::request(call, &["prompt"])?;
    let prompt = prompt(openai_request::member(call, "prompt"))?;
    let text = match template.filter(|template| template.contains(PLACE)) {
        Some(template) => filled(template, &prompt),
        None => prompt,
    };
    let block = Block { content: Content::Text(text), mark: None };
    request.turns = vec![Turn { role: Role::User, developer: false, name: None, blocks: vec![block], at: 0 }];
    Ok(request)
}

/// One text. An empty one is a prompt as well: whether it makes sense is the upstream's to say.
fn prompt(json: Option<&str>) -> Result<Text<'_>, Untranslatable> {
    let odd = |why: &'static str| Untranslatable::new("prompt", why);
    let json = json.ok_or_else(|| odd("expected a prompt"))?;
    if let Some(prompt) = Text::read(json) {
        return Ok(prompt);
    }
    match *raw::items(json).map_err(|_| odd("expected a string or an array"))? {
        [] => Err(odd("expected a prompt")),
        [one] => Text::read(one).ok_or_else(|| odd("token ids mean nothing to a chat model; send the text")),
        [first, ..] if first.starts_with('"') => {
            Err(odd("a chat model takes one prompt; send a request for each"))
        }
        _ => Err(odd("token ids mean nothing to a chat model; send the text")),
    }
}

/// The template with the prompt in it. The prompt stays as it was written.
fn filled(template: &str, prompt: &Text<'_>) -> Text<'static> {
    let around: Vec<Text<'static>> = template.split(PLACE).map(Text::of).collect();
    let mut texts: Vec<&Text<'_>> = Vec::new();
    for (at, piece) in around.iter().enumerate() {
        if at > 0 {
            texts.push(prompt);
        }
        texts.push(piece);
    }
    Text::joined(texts, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, Profile};

    fn said(prompt: &str, template: Option<&str>) -> String {
        let body = format!(r#"{{"model":"m","prompt":{prompt},"min_p":0.10}}"#);
        let call = Envelope::scan(body.into(), Dialect::Completions, Profile::Open).expect("a body");
        match read_request(&call, template) {
            Ok(request) => match request.turns.first().and_then(|turn| turn.blocks.first()) {
                Some(Block { content: Content::Text(text), .. }) => text.json().to_owned(),
                _ => "no text".to_owned(),
            },
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn a_prompt_is_what_a_user_says() {
        assert_eq!(said(r#""Say \u00e9""#, None), r#""Say \u00e9""#);
        assert_eq!(said(r#"["one"]"#, None), r#""one""#);
        assert_eq!(said(r#""""#, None), r#""""#);
    }

    #[test]
    fn a_template_is_filled_with_the_prompt_as_written() {
        assert_eq!(said(r#""a\u0022b""#, Some("Go on:\n{prompt}")), r#""Go on:\na\u0022b""#);
        assert_eq!(said(r#""x""#, Some("{prompt}-{prompt}")), r#""x-x""#);
        assert_eq!(said(r#""{prompt}""#, Some("<{prompt}>")), r#""<{prompt}>""#);
        assert_eq!(said(r#""x""#, Some("no place")), r#""x""#);
        assert_eq!(said(r#""""#, Some("")), r#""""#);
    }

    #[test]
    fn several_prompts_and_tokens_are_refused_in_clear_words() {
        let several = "prompt: a chat model takes one prompt; send a request for each";
        let tokens = "prompt: token ids mean nothing to a chat model; send the text";
        assert_eq!(said(r#"["a","b"]"#, None), several);
        assert_eq!(said("[1,2]", None), tokens);
        assert_eq!(said("[[1,2]]", None), tokens);
        assert_eq!(said("[7]", None), tokens);
        assert_eq!(said("[]", None), "prompt: expected a prompt");
    }
}
