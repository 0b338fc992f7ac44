//! Energy: power over time.

use core::time::Duration;

/// Adds up the energy of a time from its power, measured now and then: straight lines between the measurements.
///
/// ```
/// use ocellus_drivers::Energy;
/// use core::time::Duration;
///
/// let mut energy = Energy::default();
/// for (at, watts) in [(0, 2.0), (10, 4.0), (20, 4.0)] {
///     energy.add(Duration::from_secs(at), watts);
/// }
/// assert_eq!(energy.joules(), 70.0);
/// // Of a hundred inferences in that time, one took 0.7 J.
/// assert_eq!(energy.per(100), Some(0.7));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Energy {
    joules: f64,
    last: Option<(Duration, f32)>,
}

impl Energy {
    /// At `now`, a time that does not go back, so many watts flow. A power that is not a number is left out.
    pub fn add(&mut self, now: Duration, watts: f32) {
        if !watts.is_finite() {
            return;
        }
        if let Some((before, earlier)) = self.last {
            let seconds = now.saturating_sub(before).as_secs_f64();
            self.joules += f64::from(earlier + watts) / 2.0 * seconds;
        }
        self.last = Some((now, watts));
    }

    /// Joules since the first measurement.
    pub fn joules(&self) -> f64 {
        self.joules
    }

    /// Joules for each of so many things; `None` for none of them.
    pub fn per(&self, things: u64) -> Option<f64> {
        (things > 0).then(|| self.joules / things as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_adds_nothing() {
        let mut energy = Energy::default();
        let second = Duration::from_secs(1);
        energy.add(5 * second, 3.0);
        assert_eq!((energy.joules(), energy.per(0)), (0.0, None));
        energy.add(6 * second, f32::NAN);
        energy.add(7 * second, 3.0);
        assert_eq!(energy.joules(), 6.0);
        energy.add(second, 100.0);
        assert_eq!(energy.joules(), 6.0, "a clock that goes back");
    }
}
