//! A fan whose duty follows a temperature.

use embedded_hal::pwm::SetDutyCycle;

/// Which duty a temperature asks for: straight lines between points, the first point's below it and the last one's above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve<'a> {
    /// `(degrees Celsius, per cent)`.
    points: &'a [(f32, u8)],
}

/// Points that make no curve.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// There are none.
    #[error("a fan's curve needs at least one point of degrees and per cent")]
    Empty,
    /// A temperature is not a number or not above the one before.
    #[error("point {index}: expected a temperature above the one before, got {temp_c}")]
    Temperature {
        /// Which point, from 0.
        index: usize,
        /// Its temperature.
        temp_c: f32,
    },
    /// A duty is over 100 per cent or under the one before: a warmer board would get less air.
    #[error("point {index}: expected a duty from that of the point before to 100 %, got {percent}")]
    Duty {
        /// Which point, from 0.
        index: usize,
        /// Its duty.
        percent: u8,
    },
}

impl<'a> Curve<'a> {
    /// Checks points of `(degrees Celsius, per cent)`, from cold to warm.
    ///
    /// # Errors
    /// [`CurveError`], with the first point that does not fit.
    pub fn new(points: &'a [(f32, u8)]) -> Result<Curve<'a>, CurveError> {
        let mut before = (f32::NEG_INFINITY, 0);
        for (index, &(temp_c, percent)) in points.iter().enumerate() {
            if !temp_c.is_finite() || temp_c <= before.0 {
                return Err(CurveError::Temperature { index, temp_c });
            }
            if percent > 100 || percent < before.1 {
                return Err(CurveError::Duty { index, percent });
            }
            before = (temp_c, percent);
        }
        match points {
            [] => Err(CurveError::Empty),
            points => Ok(Curve { points }),
        }
    }

    /// The duty in per cent at a temperature. A temperature that is not a number, as of a sensor that cannot be read,
    /// asks for the most.
    pub fn percent(&self, temp_c: f32) -> u8 {
        let ([first, .., last] | [first @ last]) = self.points else {
            return 100;
        };
        if temp_c <= first.0 {
            return first.1;
        }
        let segment = self.points.windows(2).find(|pair| temp_c < pair[1].0);
        let Some([low, high]) = segment else {
            return last.1;
        };
        let along = (temp_c - low.0) / (high.0 - low.0);
        let rise = f32::from(high.1) - f32::from(low.1);
        // Up: a fraction of air too much is better than too little.
        let up = along * rise;
        let whole = up as u8;
        low.1 + whole + u8::from(f32::from(whole) < up)
    }
}

/// A fan that follows a curve. It speeds up at once, and slows down only when it is cooler by `ease_c`, so that it does
/// not hunt about a point.
#[derive(Debug)]
pub struct Fan<'a, P> {
    pwm: P,
    curve: Curve<'a>,
    ease_c: f32,
    percent: u8,
}

impl<'a, P: SetDutyCycle> Fan<'a, P> {
    /// Takes the output and runs the fan in full, until a temperature is known.
    ///
    /// # Errors
    /// The output's.
    pub fn new(mut pwm: P, curve: Curve<'a>, ease_c: f32) -> Result<Fan<'a, P>, P::Error> {
        pwm.set_duty_cycle_percent(100)?;
        Ok(Fan {
            pwm,
            curve,
            ease_c,
            percent: 100,
        })
    }

    /// Tells the temperature, and returns the duty in per cent.
    ///
    /// # Errors
    /// The output's; the next call tries again.
    pub fn update(&mut self, temp_c: f32) -> Result<u8, P::Error> {
        let rising = self.curve.percent(temp_c);
        let falling = self.curve.percent(temp_c + self.ease_c);
        let percent = self.percent.clamp(rising, falling.max(rising));
        if percent != self.percent {
            self.pwm.set_duty_cycle_percent(percent)?;
            self.percent = percent;
        }
        Ok(percent)
    }

    /// Gives the output back, as it is.
    pub fn release(self) -> P {
        self.pwm
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use embedded_hal_mock::eh1::pwm::{Mock, Transaction};
    use proptest::prelude::*;
    use std::string::ToString;

    const POINTS: [(f32, u8); 4] = [(40.0, 0), (50.0, 30), (60.0, 50), (75.0, 100)];

    fn curve() -> Curve<'static> {
        Curve::new(&POINTS).expect("a curve")
    }

    #[test]
    fn a_curve_goes_through_its_points() {
        for (temp_c, percent) in POINTS {
            assert_eq!(curve().percent(temp_c), percent);
        }
        assert_eq!(curve().percent(-20.0), 0);
        assert_eq!(curve().percent(45.0), 15);
        assert_eq!(curve().percent(51.0), 32);
        assert_eq!(curve().percent(51.1), 33, "never less than the line");
        assert_eq!(curve().percent(200.0), 100);
        assert_eq!(curve().percent(f32::NAN), 100, "a blind fan runs in full");
    }

    #[test]
    fn points_that_make_no_curve_are_refused() {
        assert_eq!(Curve::new(&[]), Err(CurveError::Empty));
        let same = Curve::new(&[(40.0, 0), (40.0, 10)]).expect_err("not rising");
        assert_eq!(
            same.to_string(),
            "point 1: expected a temperature above the one before, got 40"
        );
        for points in [[(40.0, 50), (50.0, 40)], [(40.0, 50), (50.0, 101)]] {
            assert!(matches!(
                Curve::new(&points),
                Err(CurveError::Duty { index: 1, .. })
            ));
        }
    }

    #[test]
    fn a_fan_slows_down_only_when_it_is_cooler_by_the_ease() {
        let full = 1000;
        let duty = |percent: u16| Transaction::set_duty_cycle(full / 100 * percent);
        let most = || Transaction::max_duty_cycle(full);
        let mut pwm = Mock::new(&[
            most(),
            duty(100),
            most(),
            duty(60),
            most(),
            duty(50),
            most(),
            duty(60),
        ]);
        let mut fan = Fan::new(pwm.clone(), curve(), 3.0).expect("a fan");
        assert_eq!(
            fan.update(60.0),
            Ok(60),
            "falls as far as 63 degrees ask for"
        );
        assert_eq!(fan.update(60.0), Ok(60));
        assert_eq!(
            fan.update(62.9),
            Ok(60),
            "no more is needed, and no less is safe"
        );
        assert_eq!(fan.update(57.0), Ok(50));
        assert_eq!(fan.update(59.9), Ok(50));
        assert_eq!(fan.update(63.0), Ok(60));
        pwm.done();
    }

    proptest! {
        #[test]
        fn a_warmer_board_never_gets_less_air(temp_c in 0.0_f32..100.0, more_c in 0.0_f32..50.0) {
            prop_assert!(curve().percent(temp_c + more_c) >= curve().percent(temp_c));
        }
    }
}
