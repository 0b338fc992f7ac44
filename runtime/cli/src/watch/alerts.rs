//! What is said and switched when the words fit: `--on "fox>0.6" --pin 17`.
//!
//! The score is the label's probability among the labels times the probability that any of them fits, so that it means
//! the same whether one label is given or many.

use embedded_hal::digital::OutputPin;
use ocellus::Report;
use ocellus_drivers::{Alert, Level, Rule};
use serde::Serialize;
use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

/// Where it goes off, of where it goes on, unless that is said.
const OFF: f32 = 0.75;

/// Not looked for so long: nobody knows whether the label is still there.
const BLIND: Duration = Duration::from_secs(5);

/// When an alert is on.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The label.
    pub label: String,
    /// It goes on at this score,
    pub on_at: f32,
    /// and off below this one.
    pub off_below: f32,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let form = || {
            format!(
                "expected LABEL>SCORE or LABEL>SCORE:OFF with 0 < OFF <= SCORE <= 1, such as \"fox>0.6\" or \
                 \"fox>0.6:0.4\", got {text:?}"
            )
        };
        let (label, scores) = text.rsplit_once('>').ok_or_else(form)?;
        let (on, off) = scores
            .split_once(':')
            .map_or((scores, None), |(on, off)| (on, Some(off)));
        let score = |text: &str| text.trim().parse::<f32>().ok();
        let on_at = score(on).ok_or_else(form)?;
        let off_below = match off {
            Some(off) => score(off).ok_or_else(form)?,
            None => OFF * on_at,
        };
        let label = label.trim().to_owned();
        if label.is_empty() || !(off_below > 0.0 && off_below <= on_at && on_at <= 1.0) {
            return Err(form());
        }
        Ok(Condition {
            label,
            on_at,
            off_below,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", self.label, self.on_at)
    }
}

/// How an alert stands after a frame. Field names are the JSON's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The label.
    pub label: String,
    /// Its score of the frame, 0..1.
    pub score: f32,
    /// Whether the alert is on.
    pub on: bool,
}

/// The alerts of a run, each with its pin.
pub struct Alerts<P> {
    alerts: Vec<One<P>>,
    standing: Vec<Standing>,
    start: Instant,
    /// What the pins said last, so that it is said once.
    trouble: Option<String>,
}

struct One<P> {
    alert: Alert<P>,
    /// When its label was looked for last: a route may look for others.
    seen: Instant,
}

impl<P: OutputPin> Alerts<P> {
    /// Takes the pins and sets them off.
    ///
    /// # Errors
    /// A condition whose label is none of the labels, and a pin's.
    pub fn new(
        labels: &[String],
        hold: Duration,
        pins: Vec<(Condition, Level, P)>,
    ) -> anyhow::Result<Alerts<P>> {
        let now = Instant::now();
        let (mut alerts, mut standing) = (Vec::new(), Vec::new());
        for (condition, level, pin) in pins {
            if !labels.iter().any(|label| label.trim() == condition.label) {
                return Err(crate::Usage(format!(
                    "--on {condition:?}: expected one of the labels, {}, got {:?}",
                    labels.join(", "),
                    condition.label,
                    condition = condition.to_string()
                ))
                .into());
            }
            let rule = Rule::new(condition.on_at, condition.off_below, hold)?;
            let alert = Alert::new(pin, level, rule);
            let alert = alert.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            alerts.push(One { alert, seen: now });
            standing.push(Standing {
                label: condition.label,
                score: 0.0,
                on: false,
            });
        }
        Ok(Alerts {
            alerts,
            standing,
            start: now,
            trouble: None,
        })
    }

    /// Follows a frame's answer; what is wrong with a pin, said once. An alert whose label was not looked for stays as it
    /// is for a while.
    pub fn follow(&mut self, report: &Report) -> Option<String> {
        for (one, standing) in self.alerts.iter_mut().zip(&mut self.standing) {
            let mut hits = report.labels.iter();
            match hits.find(|hit| *hit.label == *standing.label) {
                Some(hit) => {
                    standing.score = hit.probability * report.match_probability;
                    one.seen = Instant::now();
                }
                None if one.seen.elapsed() >= BLIND => standing.score = 0.0,
                None => {}
            }
        }
        self.update()
    }

    /// No frame comes. After a while that means that nothing is seen.
    pub fn idle(&mut self) -> Option<String> {
        let mut blind = false;
        for (one, standing) in self.alerts.iter().zip(&mut self.standing) {
            if one.seen.elapsed() >= BLIND {
                standing.score = 0.0;
                blind = true;
            }
        }
        blind.then(|| self.update()).flatten()
    }

    /// How they stand.
    pub fn standing(&self) -> &[Standing] {
        &self.standing
    }

    fn update(&mut self) -> Option<String> {
        let now = self.start.elapsed();
        let mut trouble = None;
        for (one, standing) in self.alerts.iter_mut().zip(&mut self.standing) {
            if let Err(error) = one.alert.update(standing.score, now) {
                trouble = Some(format!("the pin of {}: {error:?}", standing.label));
            }
            standing.on = one.alert.is_on();
        }
        let news = trouble.clone().filter(|_| trouble != self.trouble);
        self.trouble = trouble;
        news
    }

    /// Sets every pin off.
    pub fn release(self) -> Option<String> {
        let mut trouble = None;
        for (one, standing) in self.alerts.into_iter().zip(self.standing) {
            if let Err(error) = one.alert.release() {
                trouble = Some(format!("the pin of {}: {error:?}", standing.label));
            }
        }
        trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::{
        MockError,
        digital::{Mock, State, Transaction},
    };
    use ocellus::Hit;

    fn condition(text: &str) -> Condition {
        text.parse().expect("a condition")
    }

    #[test]
    fn a_condition_has_a_label_and_one_or_two_scores() {
        let fox = condition("a fox > 0.6");
        assert_eq!((fox.label.as_str(), fox.on_at), ("a fox", 0.6));
        assert!((fox.off_below - 0.45).abs() < 1e-6);
        let odd = condition("a > b>0.5:0.5");
        assert_eq!((odd.label.as_str(), odd.off_below), ("a > b", 0.5));
        for wrong in [
            "fox",
            "fox>",
            ">0.5",
            "fox>1.5",
            "fox>0",
            "fox>nan",
            "fox>0.4:0.6",
            "fox>0.4:x",
        ] {
            let error = wrong.parse::<Condition>().expect_err(wrong);
            assert!(error.contains("LABEL>SCORE"), "{error}");
        }
    }

    /// A report of labels with these probabilities, best first.
    fn report(hits: &[(usize, f32)], match_probability: f32) -> Report {
        let hit = |&(index, probability): &(usize, f32)| Hit {
            label: labels()[index].as_str().into(),
            index,
            score: 0.0,
            probability,
            taught: None,
            place: None,
        };
        Report {
            labels: hits.iter().map(hit).collect(),
            match_probability,
            ..Report::default()
        }
    }

    fn labels() -> Vec<String> {
        ["a fox", "a dog"].map(str::to_owned).to_vec()
    }

    #[test]
    fn each_pin_follows_its_own_label_and_goes_off_at_the_end() {
        use State::{High, Low};
        let set = |states: &[State]| -> Mock {
            let sets: Vec<_> = states
                .iter()
                .map(|state| Transaction::set(*state))
                .collect();
            Mock::new(&sets)
        };
        let (mut fox, mut dog) = (set(&[Low, High, Low, Low]), set(&[High, Low, High]));
        let pins = vec![
            (condition("a fox>0.6"), Level::High, fox.clone()),
            (condition("a dog>0.6"), Level::Low, dog.clone()),
        ];
        let mut alerts = Alerts::new(&labels(), Duration::ZERO, pins).expect("pins");
        assert_eq!(alerts.follow(&report(&[(0, 0.9), (1, 0.1)], 1.0)), None);
        let on: Vec<bool> = alerts.standing().iter().map(|one| one.on).collect();
        assert_eq!(on, [true, false]);
        assert_eq!(alerts.follow(&report(&[(1, 0.7), (0, 0.3)], 0.9)), None);
        let on: Vec<bool> = alerts.standing().iter().map(|one| one.on).collect();
        assert_eq!(on, [false, true]);
        assert_eq!(alerts.release(), None);
        fox.done();
        dog.done();
    }

    #[test]
    fn what_a_route_does_not_look_for_stays_as_it_is() {
        use State::{High, Low};
        let sets = [Low, High, Low, Low].map(Transaction::set);
        let mut pin = Mock::new(&sets);
        let pins = vec![(condition("a fox>0.6"), Level::High, pin.clone())];
        let mut alerts = Alerts::new(&labels(), Duration::ZERO, pins).expect("pins");
        alerts.follow(&report(&[(0, 0.9)], 1.0));
        alerts.follow(&report(&[(1, 0.9)], 1.0));
        assert!(alerts.standing()[0].on && alerts.standing()[0].score == 0.9);
        // As long as that is believed.
        alerts.alerts[0].seen -= BLIND;
        alerts.follow(&report(&[(1, 0.9)], 1.0));
        assert!(!alerts.standing()[0].on && alerts.standing()[0].score == 0.0);
        alerts.release();
        pin.done();
    }

    #[test]
    fn what_fits_nothing_is_not_there_however_it_beats_the_others() {
        let mut pin = Mock::new(&[Transaction::set(State::Low), Transaction::set(State::Low)]);
        let pins = vec![(condition("a fox>0.6"), Level::High, pin.clone())];
        let mut alerts = Alerts::new(&labels(), Duration::ZERO, pins).expect("pins");
        alerts.follow(&report(&[(0, 0.99), (1, 0.01)], 0.3));
        assert!(!alerts.standing()[0].on && alerts.standing()[0].score < 0.3);
        alerts.release();
        pin.done();
    }

    #[test]
    fn a_pin_that_fails_is_said_once_and_tried_again() {
        let broken = MockError::Io(std::io::ErrorKind::TimedOut);
        let high = || Transaction::set(State::High);
        let mut pin = Mock::new(&[
            Transaction::set(State::Low),
            high().with_error(broken.clone()),
            high().with_error(broken),
            high(),
            Transaction::set(State::Low),
        ]);
        let pins = vec![(condition("a fox>0.6"), Level::High, pin.clone())];
        let mut alerts = Alerts::new(&labels(), Duration::ZERO, pins).expect("pins");
        let fox = report(&[(0, 1.0)], 1.0);
        assert!(
            alerts
                .follow(&fox)
                .is_some_and(|said| said.contains("a fox"))
        );
        assert_eq!(alerts.follow(&fox), None);
        assert!(!alerts.standing()[0].on);
        assert_eq!(alerts.follow(&fox), None);
        assert!(alerts.standing()[0].on);
        alerts.release();
        pin.done();
    }

    #[test]
    fn a_condition_on_no_label_is_refused() {
        let mut pin = Mock::new(&[]);
        let pins = vec![(condition("a cat>0.6"), Level::High, pin.clone())];
        let error = Alerts::new(&labels(), Duration::ZERO, pins)
            .err()
            .expect("no label");
        pin.done();
        let message = error.to_string();
        assert!(
            message.contains("a fox, a dog") && message.contains("\"a cat\""),
            "{message}"
        );
    }
}
