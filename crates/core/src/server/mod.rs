//! The client side of the gateway: listening, connections, and which endpoint a request is for.
//!
//! HTTP/1.1, with TLS where configured. What a request means is the pipeline's.

pub mod client_address;
pub mod connection;
pub mod cors;
pub mod door;
pub mod drain;
pub mod io;
pub mod listen;
pub mod loopback;
pub mod routes;

pub use door::Door;
pub use drain::Drain;
pub use listen::{ApiServer, BindError};
