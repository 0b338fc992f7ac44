//! Routing: of several ways to answer a frame, the one that fits it best and is quick enough just now.
//!
//! A route is a name for sessions that answer alike: another bundle, another resolution, another set of labels. It says in
//! words what it is for. A router holds those words against the frame (or against the words that are asked for), and against
//! how long each route has taken lately:
//!
//! ```text
//! score = 0.7 * semantic match + 0.3 * (1 - latency / max latency)
//! ```
//!
//! Both weights are the caller's to change. A route whose latency is over its threshold is skipped, and so is one whose
//! sessions are all in use. Of equal scores the first route of the table wins.
//!
//! A frame is read once for all routes that look at the same part of it, and once more for each other part.
//!
//! Limits: a frame is matched by one more inference, the scout's, at the resolution that its policy begins with; and it
//! allocates the list of how the routes stood.

mod choice;
mod error;
mod lane;
mod latency;
mod router;

pub use choice::{Candidate, Choice, Skipped, Weights};
pub use error::RouteError;
pub use lane::{Route, Seat};
pub use latency::Latency;
pub use router::{MatchBy, Routed, Router};
