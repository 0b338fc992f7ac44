//! An input that asks for a look: a motion sensor, a button, a light barrier.

use core::time::Duration;
use embedded_hal::digital::InputPin;

use crate::Level;

/// An input pin whose changes count only when they last.
#[derive(Debug)]
pub struct Trigger<P> {
    pin: P,
    level: Level,
    settle: Duration,
    active: bool,
    /// Since when the pin differs from `active`.
    differs: Option<Duration>,
}

impl<P: InputPin> Trigger<P> {
    /// Takes the pin, which counts as not active until it was for `settle`: contacts bounce for 5 to 20 ms, and
    /// motion sensors flicker for longer.
    pub fn new(pin: P, level: Level, settle: Duration) -> Trigger<P> {
        Trigger {
            pin,
            level,
            settle,
            active: false,
            differs: None,
        }
    }

    /// Reads the pin and says whether the trigger has become active since the call before. To be called more often than
    /// `settle`: what happens between two calls is not seen.
    ///
    /// # Errors
    /// The pin's; what was known before stays known.
    pub fn poll(&mut self, now: Duration) -> Result<bool, P::Error> {
        let active = self.pin.is_high()? == (self.level == Level::High);
        if active == self.active {
            self.differs = None;
            return Ok(false);
        }
        let since = *self.differs.get_or_insert(now);
        if now.saturating_sub(since) < self.settle {
            return Ok(false);
        }
        self.active = active;
        self.differs = None;
        Ok(active)
    }

    /// Whether the trigger is active.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Gives the pin back.
    pub fn release(self) -> P {
        self.pin
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use embedded_hal_mock::eh1::{
        MockError,
        digital::{Mock, State, Transaction},
    };
    use std::{io, vec::Vec};

    const SETTLE: Duration = Duration::from_millis(20);

    /// Which polls fired, for a pin that reads `levels` every ten milliseconds.
    fn fired(level: Level, levels: &[State]) -> Vec<usize> {
        let reads: Vec<_> = levels
            .iter()
            .map(|level| Transaction::get(*level))
            .collect();
        let mut pin = Mock::new(&reads);
        let mut trigger = Trigger::new(pin.clone(), level, SETTLE);
        let times = (0..levels.len()).filter(|at| {
            let now = Duration::from_millis(10 * *at as u64);
            trigger.poll(now).expect("a pin")
        });
        let times = times.collect();
        pin.done();
        times
    }

    #[test]
    fn a_bounce_is_not_a_press() {
        use State::{High, Low};
        assert_eq!(fired(Level::High, &[High, Low, High, Low, Low]), []);
        let press = [
            Low, High, Low, High, High, High, High, Low, High, Low, Low, Low, High, High, High,
        ];
        assert_eq!(fired(Level::High, &press), [5, 14]);
    }

    #[test]
    fn low_may_mean_active() {
        use State::{High, Low};
        assert_eq!(fired(Level::Low, &[High, Low, Low, Low, Low]), [3]);
    }

    #[test]
    fn a_pin_that_fails_loses_nothing() {
        let mut pin = Mock::new(&[
            Transaction::get(State::High),
            Transaction::get(State::High).with_error(MockError::Io(io::ErrorKind::TimedOut)),
            Transaction::get(State::High),
        ]);
        let mut trigger = Trigger::new(pin.clone(), Level::High, SETTLE);
        assert!(!trigger.poll(Duration::ZERO).expect("a pin"));
        assert!(trigger.poll(SETTLE / 2).is_err());
        assert!(trigger.poll(SETTLE).expect("a pin") && trigger.is_active());
        pin.done();
    }
}
