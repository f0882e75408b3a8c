//! The stages of a request, each one file. They never import each other: each takes the facts that earlier ones
//! made and returns its own, so the pipeline's order is checked by the compiler.

pub mod auth;
pub mod cache;
pub mod count;
pub mod intake;
pub mod limits;
pub mod models;
pub mod route;
