//! What is shown of the answers: a few lines that change in place on a terminal, a line for each elsewhere, or JSON.

use super::{alerts::Standing, heat::Known, queue::Seen, source::SourceError};
use crate::routes;
use console::{Term, truncate_str};
use ocellus::{
    Report,
    route::{Candidate, Choice},
};
use serde::Serialize;
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant, UNIX_EPOCH},
};

/// How many labels are shown.
const SHOWN: usize = 5;

/// What is shown in place changes no more often than this.
const REDRAW: Duration = Duration::from_millis(100);

/// The widest bar, in characters.
const BAR: usize = 24;

/// An answer and what is known beside it. Field names are the JSON's; those of the report follow.
#[derive(Serialize)]
pub struct Line<'a> {
    /// What the frame is a picture of: the source, or a file of it.
    pub image: &'a str,
    /// The frame's number, from 0, of all that the source made.
    pub frame: u64,
    /// When it came in: milliseconds of Unix time.
    pub timestamp_ms: u64,
    /// Frames between the answer before and this one that were not answered.
    pub dropped: u64,
    /// Answers a second, over the last ones; none of a single one.
    pub fps: Option<f32>,
    /// Heat of the cores in degrees Celsius, where the machine says.
    pub temp_c: Option<f32>,
    /// The board slows its cores down, and the program rests between answers.
    pub throttled: bool,
    /// What the whole board draws, in watts, where anything measures it.
    pub power_watts: Option<f32>,
    /// How the alerts stand, if any were asked for.
    #[serde(skip_serializing_if = "<[Standing]>::is_empty")]
    pub alerts: &'a [Standing],
    /// Which route answered, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Way<'a>>,
    /// The answer.
    #[serde(flatten)]
    pub report: &'a Report,
}

/// Which route answered, and on request why.
#[derive(Clone, Copy, Serialize)]
pub struct Way<'a> {
    /// The route.
    pub taken: &'a str,
    /// What finding out what the frame is took, in microseconds; 0 where words decide.
    pub scout_us: u64,
    /// How every route stood, in the order of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<&'a [Candidate]>,
}

impl<'a> Way<'a> {
    /// The way of a choice; none of an answer without routes.
    pub fn of(choice: &'a Choice, explain: bool) -> Option<Way<'a>> {
        let Choice {
            taken,
            candidates,
            scout_us,
        } = choice;
        (!candidates.is_empty()).then_some(Way {
            taken,
            scout_us: *scout_us,
            candidates: explain.then_some(candidates),
        })
    }

    /// Why it was taken, in lines.
    fn reasons(&self) -> Vec<String> {
        let candidates = self.candidates;
        candidates.map_or_else(Vec::new, |candidates| {
            routes::reasons(candidates, self.scout_us)
        })
    }
}

impl<'a> Line<'a> {
    pub fn new(
        seen: &'a Seen,
        dropped: u64,
        fps: Option<f32>,
        heat: Known,
        alerts: &'a [Standing],
        report: &'a Report,
    ) -> Line<'a> {
        let at = seen.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Line {
            image: &seen.image,
            frame: seen.number,
            timestamp_ms: at.as_millis() as u64,
            dropped,
            fps,
            temp_c: heat.temp_c,
            throttled: heat.throttled,
            power_watts: heat.power_watts,
            alerts,
            route: None,
            report,
        }
    }

    /// The best label, or that there is none.
    fn verdict(&self) -> &str {
        match self.report.labels.first() {
            Some(best) if !self.report.no_match => &best.label,
            _ => "nothing fits",
        }
    }

    /// How fast, how many were left out, how warm, how much is drawn.
    fn state(&self) -> String {
        let mut words = vec![format!("{} px", self.report.resolution)];
        words.extend(self.fps.map(|fps| format!("{fps:.1} frames/s")));
        words.push(format!("{} dropped", self.dropped));
        words.extend(self.route.map(|route| format!("route {}", route.taken)));
        words.extend(self.temp_c.map(|celsius| format!("{celsius:.1} °C")));
        words.extend(self.power_watts.map(|watts| format!("{watts:.2} W")));
        words.extend(self.throttled.then(|| "throttled".to_owned()));
        let on = self.alerts.iter().filter(|alert| alert.on);
        words.extend(on.map(|alert| format!("on: {}", alert.label)));
        words.join(", ")
    }
}

/// What is said of a frame that has no answer.
#[derive(Serialize)]
struct Trouble<'a> {
    image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<u64>,
    error: Reason<'a>,
    /// The source is gone, and is looked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
}

#[derive(Serialize)]
struct Reason<'a> {
    kind: &'a str,
    message: &'a str,
}

/// How answers are shown.
pub enum View {
    /// An object a line.
    Json,
    /// A line each.
    Lines,
    /// In place.
    Screen(Screen),
}

impl View {
    /// JSON where it is asked for; else by where standard output goes.
    pub fn of(json: bool, source: &str) -> View {
        match json {
            true => View::Json,
            false if io::stdout().is_terminal() => View::Screen(Screen {
                term: Term::stdout(),
                source: source.to_owned(),
                lines: 0,
                drawn: None,
                dropped: 0,
            }),
            false => View::Lines,
        }
    }

    /// Shows an answer.
    pub fn answer(&mut self, line: &Line<'_>) -> io::Result<()> {
        match self {
            View::Json => say(&serde_json::to_string(line)?),
            View::Lines => {
                let (frame, verdict, report) = (line.frame, line.verdict(), line.report);
                let share = report.labels.first().map_or(0.0, |best| best.probability);
                say(&format!(
                    "{}: {frame}: {verdict} {:.1} % (match probability {:.2}), {}",
                    line.image,
                    100.0 * share,
                    report.match_probability,
                    line.state()
                ))?;
                let reasons = line.route.map_or_else(Vec::new, |route| route.reasons());
                reasons
                    .iter()
                    .try_for_each(|reason| say(&format!("  {reason}")))?;
                report
                    .warnings
                    .iter()
                    .try_for_each(|warning| say(&format!("  warning: {warning}")))
            }
            View::Screen(screen) => screen.answer(line),
        }
    }

    /// Shows why a frame has no answer.
    pub fn failed(
        &mut self,
        image: &str,
        frame: Option<u64>,
        (kind, message): (&str, &str),
    ) -> io::Result<()> {
        self.trouble(&Trouble {
            image,
            frame,
            error: Reason { kind, message },
            lost: false,
        })
    }

    /// Shows that the source is gone, and is looked for.
    pub fn lost(&mut self, image: &str, error: &SourceError) -> io::Result<()> {
        self.trouble(&Trouble {
            image,
            frame: None,
            error: Reason {
                kind: error.kind(),
                message: &error.to_string(),
            },
            lost: true,
        })
    }

    fn trouble(&mut self, trouble: &Trouble<'_>) -> io::Result<()> {
        let Trouble {
            image, error, lost, ..
        } = trouble;
        if let View::Json = self {
            return say(&serde_json::to_string(trouble)?);
        }
        // A message of the source's own begins with its name.
        let name = match error.message.starts_with(image) {
            true => String::new(),
            false => format!("{image}: "),
        };
        let more = if *lost { "; it is looked for" } else { "" };
        self.note(&format!("{name}{}{more}", error.message))
    }

    /// Says something beside the answers, on standard error.
    pub fn note(&mut self, message: &str) -> io::Result<()> {
        if let View::Screen(screen) = self {
            screen.clear()?;
        }
        remark(message);
        Ok(())
    }
}

/// Says something on standard error. A service may have none.
pub fn remark(message: &str) {
    let _ = writeln!(io::stderr(), "ocellus: {message}");
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// A few lines of a terminal.
pub struct Screen {
    term: Term,
    source: String,
    /// How many are drawn.
    lines: usize,
    drawn: Option<Instant>,
    /// Since the run began.
    dropped: u64,
}

impl Screen {
    fn answer(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.dropped += line.dropped;
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        let columns = usize::from(self.term.size().1).max(20);
        let line = &Line {
            dropped: self.dropped,
            ..*line
        };
        let lines = lines(&self.source, line);
        self.clear()?;
        for line in &lines {
            // A line that wraps would be two to clear.
            self.term
                .write_line(&truncate_str(line, columns - 1, "…"))?;
        }
        self.lines = lines.len();
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        self.term.clear_last_lines(lines)
    }
}

/// The lines of an answer, drawn in place.
fn lines(source: &str, line: &Line<'_>) -> Vec<String> {
    let report = line.report;
    let mut lines = vec![
        format!("{source}  frame {}", line.frame),
        format!("{}  {}", line.verdict(), line.state()),
    ];
    lines.extend(report.labels.iter().take(SHOWN).map(|hit| {
        let bar = "█".repeat((hit.probability * BAR as f32).round() as usize);
        format!("{:5.1} % {bar:BAR$} {}", 100.0 * hit.probability, hit.label)
    }));
    lines.extend(line.route.iter().flat_map(Way::reasons));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocellus::{Hit, route::Skipped};

    fn report() -> Report {
        let hit = |label: &str, index, probability| Hit {
            label: label.into(),
            index,
            score: 0.5,
            probability,
            taught: None,
            place: None,
        };
        Report {
            labels: vec![hit("a fox", 1, 0.75), hit("a dog", 0, 0.25)],
            match_probability: 0.9,
            resolution: 160,
            ..Report::default()
        }
    }

    fn line<'a>(report: &'a Report, alerts: &'a [Standing]) -> Line<'a> {
        Line {
            image: "clip.y4m",
            frame: 12,
            timestamp_ms: 1,
            dropped: 3,
            fps: Some(9.84),
            temp_c: Some(51.25),
            throttled: true,
            power_watts: Some(3.456),
            alerts,
            route: None,
            report,
        }
    }

    #[test]
    fn a_terminal_shows_labels_as_bars_and_the_state_beside_the_verdict() {
        let report = report();
        let alerts = [Standing {
            label: "a fox".into(),
            score: 0.7,
            on: true,
        }];
        let lines = lines("clip.y4m", &line(&report, &alerts));
        assert_eq!(lines[0], "clip.y4m  frame 12");
        let state = "160 px, 9.8 frames/s, 3 dropped, 51.2 °C, 3.46 W, throttled, on: a fox";
        assert_eq!(lines[1], format!("a fox  {state}"));
        assert_eq!(
            lines[2],
            format!(" 75.0 % {}{} a fox", "█".repeat(18), " ".repeat(6))
        );
    }

    #[test]
    fn the_route_is_named_and_on_request_why() {
        let report = report();
        let candidate = |route: &str, score, skipped| Candidate {
            route: route.into(),
            semantic_match: 0.5,
            latency_us: 40_000,
            latency_threshold_us: 30_000,
            score,
            skipped,
        };
        let choice = Choice {
            taken: "day".into(),
            candidates: vec![
                candidate("day", Some(0.65), None),
                candidate("night", None, Some(Skipped::OverThreshold)),
            ],
            scout_us: 1500,
        };
        let line = |explain| Line {
            route: Way::of(&choice, explain),
            ..line(&report, &[])
        };
        let lines = |explain| lines("clip.y4m", &line(explain));
        assert!(lines(false)[1].contains("3 dropped, route day, 51.2 °C"));
        assert_eq!(lines(false).len(), 4);
        let explained = lines(true);
        assert!(explained[4].starts_with("day: score 0.650, match 0.500, latency 40.0 ms"));
        assert!(explained[5].starts_with("night: skipped: over its threshold"));
        assert_eq!(explained[6], "the scout took 1.5 ms");
        let json = |explain| serde_json::to_value(line(explain)).expect("JSON")["route"].clone();
        assert_eq!(json(false)["taken"], "day");
        assert!(json(false).get("candidates").is_none());
        assert_eq!(json(true)["candidates"][1]["skipped"], "over-threshold");
        assert!(Way::of(&Choice::default(), true).is_none());
    }

    #[test]
    fn json_has_the_fields_of_label_beside_its_own() {
        let report = report();
        let value = serde_json::to_value(line(&report, &[])).expect("JSON");
        for field in [
            "image",
            "labels",
            "no_match",
            "resolution",
            "reason",
            "stages_us",
            "bundle",
        ] {
            assert!(value.get(field).is_some(), "{field}");
        }
        assert_eq!(value["frame"], 12);
        assert_eq!(value["temp_c"], 51.25);
        assert!((value["power_watts"].as_f64().expect("watts") - 3.456).abs() < 1e-6);
        assert!(value.get("alerts").is_none());
    }
}
