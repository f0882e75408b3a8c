//! `POST /v1/embeddings`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Server;

const PATH: &str = "/v1/embeddings";

#[tokio::test]
async fn base64_and_floats_are_the_same_unit_vector() {
    let server = Server::start();
    let mut body = json!({ "model": "m", "input": "a lighthouse by the sea", "dimensions": 64 });
    let floats = server.post(PATH, body.clone()).await.json();
    let floats: Vec<f32> = serde_json::from_value(floats["data"][0]["embedding"].clone()).unwrap();
    assert_eq!(floats.len(), 64);
    assert!((floats.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
    body["encoding_format"] = "base64".into();
    let coded = server.post(PATH, body).await.json();
    let bytes = STANDARD.decode(coded["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let decoded: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    assert_eq!(decoded, floats);
}

#[tokio::test]
async fn every_shape_of_input_gives_one_vector_for_each_text() {
    let server = Server::start();
    for (input, vectors, tokens) in [
        (json!("one two"), 1, 2),
        (json!(["one", "two", "six"]), 3, 3),
        (json!([1, 2, 3]), 1, 3),
        (json!([[1, 2], [3]]), 2, 3),
    ] {
        let answer = server.post(PATH, json!({ "model": "m", "input": input })).await.json();
        assert_eq!(answer["data"].as_array().unwrap().len(), vectors);
        assert_eq!(answer["usage"], json!({ "prompt_tokens": tokens, "total_tokens": tokens }));
    }
}

#[tokio::test]
async fn dimensions_out_of_bounds_are_refused() {
    let server = Server::start();
    for dimensions in [0, -1, 100_000] {
        let answer = server.post(PATH, json!({ "model": "m", "input": "x", "dimensions": dimensions })).await;
        assert_eq!(answer.status, 400);
    }
}
