//! The watchdog: the service manager is told that inference goes on, by inference that goes on.
//!
//! There is no timer. The worker feeds it after each answer, and where there is nothing to answer, after a look for
//! frames by eyes that are alive. A worker that is stuck starves it, whatever else still runs; one that is slow does not.

use std::time::{Duration, Instant};

/// The watchdog.
pub struct Watchdog<'a> {
    feed: Box<dyn FnMut() + 'a>,
    /// It is hungry after so long; none is never fed.
    patience: Option<Duration>,
    fed: Option<Instant>,
    beats: u64,
}

impl<'a> Watchdog<'a> {
    /// One that is fed by a call.
    pub fn new(patience: Option<Duration>, feed: impl FnMut() + 'a) -> Watchdog<'a> {
        Watchdog {
            feed: Box::new(feed),
            patience,
            fed: None,
            beats: 0,
        }
    }

    /// A frame was answered.
    pub fn answered(&mut self) {
        let Some(patience) = self.patience else {
            return;
        };
        // A datagram for each of many answers a second would tell no more.
        if self.fed.is_none_or(|fed| fed.elapsed() >= patience / 4) {
            (self.feed)();
            self.fed = Some(Instant::now());
        }
    }

    /// The worker waits for a frame, and the eyes have given so many signs of life.
    pub fn idle(&mut self, beats: u64) {
        if beats != self.beats {
            self.beats = beats;
            self.answered();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn it_is_fed_by_answers_and_by_eyes_that_are_alive() {
        let fed = Cell::new(0);
        let mut watchdog = Watchdog::new(Some(Duration::ZERO), || fed.set(fed.get() + 1));
        watchdog.answered();
        watchdog.answered();
        assert_eq!(fed.get(), 2);
        watchdog.idle(5);
        assert_eq!(fed.get(), 3);
        watchdog.idle(5);
        assert_eq!(fed.get(), 3, "the eyes are stuck");
        watchdog.idle(6);
        assert_eq!(fed.get(), 4);
    }

    #[test]
    fn it_is_not_fed_more_often_than_it_is_hungry_and_never_where_there_is_none() {
        let fed = Cell::new(0);
        let feed = || fed.set(fed.get() + 1);
        let mut patient = Watchdog::new(Some(Duration::from_secs(3600)), feed);
        let mut none = Watchdog::new(None, feed);
        for beats in 0..100 {
            patient.answered();
            none.answered();
            none.idle(beats);
        }
        assert_eq!(fed.get(), 1);
    }
}
