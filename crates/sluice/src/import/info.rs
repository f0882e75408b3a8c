//! `model_info`: what a deployment is said to be able to do.

use super::{
    deployment::{Deployment, positive},
    reasons,
    section::Section,
};

/// The models of these are not served at all.
const OTHER_MODES: &[&str] = &[
    "image_generation",
    "image_edit",
    "audio_transcription",
    "audio_speech",
    "rerank",
    "moderation",
    "moderations",
    "realtime",
    "video_generation",
    "ocr",
    "search",
    "batch",
    "vector_store",
];
pub(super) const SERVED: &str = "served are completions, chat, embeddings, responses and messages";
const SERVED_MODES: &[&str] = &["chat", "completion", "embedding", "responses"];

/// Nothing, when requests of its kind are served here; else why they are not.
pub(super) fn mode(info: &Section<'_>) -> Result<(), String> {
    let Some(mode) = info.word("mode") else { return Ok(()) };
    if OTHER_MODES.contains(&mode.as_str()) {
        return Err(format!("`mode: {mode}`: {SERVED}"));
    }
    if !SERVED_MODES.contains(&mode.as_str()) {
        info.leave("mode", "a mode that is not known here");
    }
    Ok(())
}

/// What the deployment can do, and what cannot be said of it here.
pub(super) fn abilities(deployment: &mut Deployment<'_>, info: &Section<'_>) {
    let above_zero = |key| info.whole(key).filter(|count| positive(*count, key, info));
    deployment.context_window = above_zero("max_input_tokens");
    let output = above_zero("max_output_tokens");
    let either = above_zero("max_tokens");
    if output.is_some() && either.is_some() && output != either {
        info.leave("max_tokens", "max_output_tokens counts");
    }
    deployment.max_output_tokens = output.or(either);
    if let (Some(window), Some(most)) = (deployment.context_window, deployment.max_output_tokens)
        && most > window
    {
        let key = if output.is_some() { "max_output_tokens" } else { "max_tokens" };
        info.leave(key, "larger than max_input_tokens, which is taken for the context window");
        deployment.max_output_tokens = None;
    }
    for (field, feature) in [
        ("supports_function_calling", "tools"),
        ("supports_vision", "images"),
        ("supports_response_schema", "structured_output"),
    ] {
        if info.flag(field) == Some(false) {
            deployment.lacks.push(feature);
        }
    }
    deployment.id = info.get("id").and_then(|_| info.word("id"));
    if deployment.id.is_some() {
        info.tell("id", "targets have no id of their own; answers name provider and model");
    }
    info.rest(reasons::INFO, reasons::INFO_FIELD);
}
