//! An output that is on while something is seen: a LED, a relay, a line to another machine.

use core::time::Duration;
use embedded_hal::digital::{OutputPin, PinState};

/// Which level means on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// High is on, as for a LED to ground.
    High,
    /// Low is on, as for most relay boards.
    Low,
}

/// When an output goes on and off. Between the two thresholds it stays as it is, so that a score that wavers about one
/// does not make a relay chatter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    on_at: f32,
    off_below: f32,
    hold: Duration,
}

/// A rule that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// A threshold is not a number.
    #[error("a threshold is not a number; give scores, such as 0.6 and 0.4")]
    NotFinite,
    /// The output would go off above where it goes on.
    #[error("off_below: expected at most on_at, {on_at}, got {off_below}")]
    Crossed {
        /// Where it goes on.
        on_at: f32,
        /// Where it goes off.
        off_below: f32,
    },
}

impl Rule {
    /// On from a score of `on_at`, off when it was below `off_below` for `hold`.
    ///
    /// # Errors
    /// [`RuleError`] where a threshold is not finite or `off_below` is above `on_at`.
    pub fn new(on_at: f32, off_below: f32, hold: Duration) -> Result<Rule, RuleError> {
        if !on_at.is_finite() || !off_below.is_finite() {
            return Err(RuleError::NotFinite);
        }
        if off_below > on_at {
            return Err(RuleError::Crossed { on_at, off_below });
        }
        Ok(Rule {
            on_at,
            off_below,
            hold,
        })
    }
}

/// An output pin that follows a score.
#[derive(Debug)]
pub struct Alert<P> {
    pin: P,
    level: Level,
    rule: Rule,
    /// When the score last was high enough to stay on; `None` while off.
    seen: Option<Duration>,
}

impl<P: OutputPin> Alert<P> {
    /// Takes the pin and sets it off.
    ///
    /// # Errors
    /// The pin's.
    pub fn new(mut pin: P, level: Level, rule: Rule) -> Result<Alert<P>, P::Error> {
        pin.set_state(state(level, false))?;
        Ok(Alert {
            pin,
            level,
            rule,
            seen: None,
        })
    }

    /// Tells the score of a frame, and whether the output is on after it. A score that is not a number is none: it
    /// counts as below every threshold. `now` may not go back; where it does, the time between is taken as none.
    ///
    /// The pin is set only when it changes. A failure to set it leaves the alert as it was, so that the next frame tries
    /// again.
    ///
    /// # Errors
    /// The pin's.
    pub fn update(&mut self, score: f32, now: Duration) -> Result<bool, P::Error> {
        let seen = match self.seen {
            _ if score >= self.rule.on_at => Some(now),
            Some(_) if score >= self.rule.off_below => Some(now),
            Some(last) if now.saturating_sub(last) < self.rule.hold => Some(last),
            _ => None,
        };
        if seen.is_some() != self.seen.is_some() {
            self.pin.set_state(state(self.level, seen.is_some()))?;
        }
        self.seen = seen;
        Ok(seen.is_some())
    }

    /// Whether the output is on.
    pub fn is_on(&self) -> bool {
        self.seen.is_some()
    }

    /// Sets the output off and gives the pin back.
    ///
    /// # Errors
    /// The pin's.
    pub fn release(mut self) -> Result<P, P::Error> {
        self.pin.set_state(state(self.level, false))?;
        Ok(self.pin)
    }
}

fn state(level: Level, on: bool) -> PinState {
    PinState::from(on == (level == Level::High))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use embedded_hal_mock::eh1::{
        MockError,
        digital::{Mock, State, Transaction},
    };
    use std::{io, string::ToString, vec::Vec};

    const SECOND: Duration = Duration::from_secs(1);

    fn rule() -> Rule {
        Rule::new(0.6, 0.4, 2 * SECOND).expect("a rule")
    }

    /// Whether the output is on after each `(second, score)`; the pin must be set to `levels` and nothing else.
    fn follow(levels: &[State], scores: &[(u32, f32)]) -> Vec<bool> {
        let transactions: Vec<_> = levels
            .iter()
            .map(|level| Transaction::set(*level))
            .collect();
        let mut pin = Mock::new(&transactions);
        let mut alert = Alert::new(pin.clone(), Level::High, rule()).expect("a pin");
        let on = scores
            .iter()
            .map(|(at, score)| alert.update(*score, *at * SECOND).expect("a pin"))
            .collect();
        pin.done();
        on
    }

    #[test]
    fn a_score_that_wavers_between_the_thresholds_changes_nothing() {
        let on = follow(
            &[State::Low, State::High],
            &[(0, 0.5), (1, 0.59), (2, 0.6), (3, 0.41), (4, 0.4), (9, 0.5)],
        );
        assert_eq!(on, [false, false, true, true, true, true]);
    }

    #[test]
    fn the_output_stays_on_for_the_hold_time_after_the_last_sight() {
        let on = follow(
            &[State::Low, State::High, State::Low],
            &[(0, 0.9), (1, 0.1), (2, 0.5), (3, 0.1), (4, 0.1)],
        );
        assert_eq!(on, [true, true, true, true, false]);
    }

    #[test]
    fn a_clock_that_goes_back_and_a_score_that_is_none_do_no_harm() {
        let on = follow(
            &[State::Low, State::High, State::Low],
            &[(5, 0.9), (1, f32::NAN), (7, f32::NAN)],
        );
        assert_eq!(on, [true, true, false]);
    }

    #[test]
    fn low_may_mean_on_and_a_released_pin_is_off() {
        let set = |state| Transaction::set(state);
        let mut pin = Mock::new(&[set(State::High), set(State::Low), set(State::High)]);
        let mut alert = Alert::new(pin.clone(), Level::Low, rule()).expect("a pin");
        assert!(alert.update(1.0, SECOND).expect("a pin") && alert.is_on());
        alert.release().expect("a pin");
        pin.done();
    }

    #[test]
    fn a_pin_that_fails_is_set_again_by_the_next_frame() {
        let broken = MockError::Io(io::ErrorKind::TimedOut);
        let mut pin = Mock::new(&[
            Transaction::set(State::Low),
            Transaction::set(State::High).with_error(broken),
            Transaction::set(State::High),
        ]);
        let mut alert = Alert::new(pin.clone(), Level::High, rule()).expect("a pin");
        assert!(alert.update(0.9, SECOND).is_err() && !alert.is_on());
        assert!(alert.update(0.9, SECOND).expect("a pin"));
        pin.done();
    }

    #[test]
    fn rules_that_contradict_themselves_are_refused() {
        assert_eq!(Rule::new(f32::NAN, 0.1, SECOND), Err(RuleError::NotFinite));
        let crossed = Rule::new(0.4, 0.6, SECOND).expect_err("crossed");
        assert_eq!(
            crossed.to_string(),
            "off_below: expected at most on_at, 0.4, got 0.6"
        );
    }
}
