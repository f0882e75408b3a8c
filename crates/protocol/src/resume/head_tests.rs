use super::super::Method;
use super::super::samples::{delivered, event, last_event, seam_after};

#[test]
fn every_chunk_carries_the_first_upstream_s_head() {
    let chunk = |head: &str| event(&format!(r#"{{{head}"choices":[{{"index":0,"text":"a"}}]}}"#));
    for (first, second, sent) in [
        (r#""id":"1","model":"m","#, r#""id":"2","model":"n","#, r#""id":"1","model":"m","#),
        (r#""id":"1","#, r#""system_fingerprint":"fp","id":"2","#, r#""id":"1","#),
        (r#""system_fingerprint":"f1","#, r#""system_fingerprint":"f2","#, r#""system_fingerprint":"f1","#),
        (r#""created":1.0,"#, r#""created" : 22 ,"#, r#""created" : 1.0 ,"#),
    ] {
        let mut seam = seam_after(Method::Append, &delivered(&[chunk(first)]));
        let data = last_event(&mut seam, &[chunk(second)]);
        assert_eq!(data.as_bytes(), chunk(sent).data.expect("data"));
    }
    let mut seam = seam_after(Method::Append, &delivered(&[chunk(r#""id":"1","created":1,"#)]));
    let missing = last_event(&mut seam, &[chunk("")]);
    assert_eq!(missing, r#"{"choices":[{"index":0,"text":"a"}],"id":"1","created":1}"#);
    let opening = event(r#"{"id":"","created":0,"model":"","system_fingerprint":null,"choices":[]}"#);
    let mut seam = seam_after(Method::Append, &delivered(&[opening, chunk(r#""id":"1","created":7,"#)]));
    let sent = last_event(&mut seam, &[chunk(r#""id":"2","created":8,"#)]);
    let filled =
        r#"{"id":"1","created":7,"choices":[{"index":0,"text":"a"}],"model":"","system_fingerprint":null}"#;
    assert_eq!(sent, filled, "what opens a stream empty is filled by what follows");
}
