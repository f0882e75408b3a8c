//! The way to the upstreams: connections, one attempt, and what follows from how it went.
//!
//! `failover` walks a plan by the rules of `itinerary`, `attempt` makes one try, `classify` says what an answer means.
//! `share` lets equal requests read one answer, whose source is `lead`. `abandoned` says what goes on without its
//! client. `client` keeps connections (`lanes`), `connect` makes them, `lane` and `answer` move them when `signal` says
//! so; nothing here knows the client's.

pub mod abandoned;
pub mod answer;
pub mod attempt;
pub mod body;
pub mod classify;
pub mod client;
pub mod connect;
pub mod connections;
pub mod detour;
pub mod errand;
pub mod failover;
pub mod failure;
pub mod following;
pub mod guard;
pub mod hedge;
pub mod itinerary;
pub mod lane;
pub mod lanes;
pub mod lead;
pub mod proxy;
pub mod relay;
pub mod remaining;
pub mod share;
pub mod signal;
pub mod stream;
pub mod tally;
pub mod verdict;
