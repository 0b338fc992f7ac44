//! How long a route takes just now, by what it took lately.

use std::time::{Duration, Instant};

/// How far an estimate moves towards a new measurement.
const STEP: f64 = 0.25;

/// In this time half of what a route was slower than at its quickest is forgotten, so that one that was skipped for it is
/// tried again.
pub const HALF_LIFE: Duration = Duration::from_secs(10);

/// An estimate of a latency: each measurement moves it a quarter of the way, and without any it falls back to the quickest
/// one, by half of the distance in ten seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    quickest: f64,
    estimate: f64,
    at: Instant,
}

impl Latency {
    /// By a first measurement, taken at `now`.
    pub fn new(took: Duration, now: Instant) -> Latency {
        let seconds = took.as_secs_f64();
        Latency {
            quickest: seconds,
            estimate: seconds,
            at: now,
        }
    }

    /// What to expect at `now`.
    pub fn expected(&self, now: Instant) -> Duration {
        Duration::from_secs_f64(self.decayed(now))
    }

    /// It took this long, and ended `now`.
    pub fn took(&mut self, took: Duration, now: Instant) {
        let seconds = took.as_secs_f64();
        let before = self.decayed(now);
        self.estimate = before + STEP * (seconds - before);
        self.quickest = self.quickest.min(seconds);
        self.at = now;
    }

    fn decayed(&self, now: Instant) -> f64 {
        let idle = now.saturating_duration_since(self.at);
        let halves = idle.as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.quickest + (self.estimate - self.quickest) * 0.5_f64.powf(halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(latency: &Latency, at: Instant) -> f64 {
        latency.expected(at).as_secs_f64() * 1e3
    }

    #[test]
    fn it_follows_what_is_measured_and_forgets_what_was_slow() {
        let start = Instant::now();
        let took = Duration::from_millis;
        let mut latency = Latency::new(took(40), start);
        assert_eq!(ms(&latency, start + HALF_LIFE), 40.0);
        latency.took(took(80), start);
        assert!((ms(&latency, start) - 50.0).abs() < 1e-6);
        // 40 + 10 / 2, and then 40 + 10 / 4.
        assert!((ms(&latency, start + HALF_LIFE) - 45.0).abs() < 1e-6);
        assert!((ms(&latency, start + 2 * HALF_LIFE) - 42.5).abs() < 1e-6);
        // A measurement goes from where the estimate has come to.
        latency.took(took(125), start + HALF_LIFE);
        assert!((ms(&latency, start + HALF_LIFE) - 65.0).abs() < 1e-6);
        // A quicker one is what it falls back to.
        latency.took(took(5), start + HALF_LIFE);
        assert!((ms(&latency, start + 100 * HALF_LIFE) - 5.0).abs() < 1e-3);
        for _ in 0..100 {
            latency.took(took(70), start + 100 * HALF_LIFE);
        }
        assert!((ms(&latency, start + 100 * HALF_LIFE) - 70.0).abs() < 1e-3);
    }
}
