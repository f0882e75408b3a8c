//! The way back: the body that the client reads, and what happens when it ends.

pub mod body;
pub mod cache_headers;
pub mod feed;
pub mod finish;
pub mod head;
pub mod limit_headers;
pub mod render;
pub mod stream;
pub mod unread;
