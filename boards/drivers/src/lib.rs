//! Pins that follow what the camera sees: an output that tells of it ([`Alert`]), an input that asks for a look
//! ([`Trigger`]), a fan that keeps the cores cool ([`Fan`]); and what all of it draws ([`Ina219`], [`Ina3221`], [`Energy`]).
//!
//! Everything is over `embedded-hal` 1.0, so that the same code drives a GPIO line of Linux, a microcontroller's port or a
//! mock. Time comes from the caller, as a [`Duration`] since any moment that does not move: nothing here waits, and
//! nothing reads a clock.
//!
//! ```
//! use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
//! use ocellus_drivers::{Alert, Level, Rule};
//! use std::time::Duration;
//!
//! // A relay that closes on a low level: on from a probability of 0.6 until it was below 0.4 for two seconds.
//! let set = |state| Transaction::set(state);
//! let mut relay = Mock::new(&[set(State::High), set(State::Low), set(State::High)]);
//! let rule = Rule::new(0.6, 0.4, Duration::from_secs(2))?;
//! let mut alert = Alert::new(relay.clone(), Level::Low, rule)?;
//! assert!(alert.update(0.7, Duration::from_secs(10))?);
//! assert!(alert.update(0.1, Duration::from_secs(11))?);
//! assert!(!alert.update(0.1, Duration::from_secs(12))?);
//! relay.done();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Duration`]: core::time::Duration
#![no_std]
#![forbid(unsafe_code)]

mod alert;
mod fan;
mod power;
mod trigger;

pub use alert::{Alert, Level, Rule, RuleError};
pub use fan::{Curve, CurveError, Fan};
pub use power::{Channel, Draw, Energy, Ina219, Ina3221, PowerError};
pub use trigger::Trigger;
