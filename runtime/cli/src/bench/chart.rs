//! Charts of a report, as SVG. What cannot be drawn is `None`.

use super::subject;
use crate::html::escaped;
use serde_json::Value;
use std::fmt::Write;

/// The colours of the stages, and of the resolutions: apart in lightness too.
const COLOURS: [&str; 5] = ["#e9c46a", "#8ab17d", "#2a9d8f", "#3d6fb6", "#b5507a"];

const WIDTH: f64 = 800.0;
/// Where drawings begin, right of the names.
const LEFT: f64 = 120.0;
const INNER: f64 = WIDTH - LEFT - 20.0;
/// The longest name of a row.
const WIDEST: f64 = 100.0;

/// A drawing of this height.
fn svg(height: f64, label: &str, inside: &str) -> Option<String> {
    Some(format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">{inside}</svg>",
        escaped(label)
    ))
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    let words = escaped(words);
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>")
}

fn block(x: f64, y: f64, width: f64, height: f64, colour: &str) -> String {
    let width = width.max(0.5);
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    )
}

fn rule(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line class=\"axis\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>")
}

/// What a row is of, and by how many threads where there are several.
fn name(row: &Value) -> String {
    match row["threads"].as_u64() {
        Some(threads) if threads > 1 => format!("{} x{threads}", subject(row)),
        _ => subject(row),
    }
}

/// A bar for each resolution and policy, made of its stages.
pub fn stages(rows: &[&Value]) -> Option<String> {
    let names = ["decode", "look", "resize", "encode", "heads"];
    let median = |row: &Value, stage: &str| row["stages"][stage]["p50_us"].as_f64();
    let sum = |row: &Value| {
        names
            .iter()
            .filter_map(|stage| median(row, stage))
            .sum::<f64>()
    };
    let longest = rows.iter().copied().map(sum).fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let mut inside = String::new();
    for (at, (stage, colour)) in names.iter().zip(COLOURS).enumerate() {
        let x = LEFT + 110.0 * at as f64;
        inside += &block(x, 4.0, 12.0, 12.0, colour);
        inside += &text(x + 18.0, 14.0, "start", stage);
    }
    for (at, row) in rows.iter().enumerate() {
        let y = 30.0 + 34.0 * at as f64;
        inside += &text(LEFT - 8.0, y + 18.0, "end", &name(row));
        let mut x = LEFT;
        for (stage, colour) in names.iter().zip(COLOURS) {
            let Some(us) = median(row, stage) else {
                continue;
            };
            let width = us / longest * (INNER - 60.0);
            inside += &block(x, y, width, 26.0, colour);
            x += width;
        }
        let words = format!("{:.1} ms", sum(row) / 1e3);
        inside += &text(x + 6.0, y + 18.0, "start", &words);
    }
    svg(
        36.0 + 34.0 * rows.len() as f64,
        "median time of each stage",
        &inside,
    )
}

const BINS: usize = 40;

/// A histogram for each resolution and policy, over one axis of time.
pub fn histograms(rows: &[&Value]) -> Option<String> {
    let totals = |row: &Value| -> Vec<f64> {
        let list = row["totals_us"].as_array();
        list.map_or_else(Vec::new, |list| {
            list.iter().filter_map(Value::as_f64).collect()
        })
    };
    let longest = rows.iter().copied().flat_map(totals).fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let mut inside = String::new();
    let height = 56.0;
    for (at, (row, colour)) in rows.iter().zip(COLOURS.iter().cycle().skip(2)).enumerate() {
        let bottom = height * (at + 1) as f64;
        let mut bins = [0usize; BINS];
        for us in totals(row) {
            bins[((us / longest * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
        let most = bins.iter().copied().max().unwrap_or(1).max(1) as f64;
        inside += &text(LEFT - 8.0, bottom - 4.0, "end", &name(row));
        inside += &rule(LEFT, bottom, LEFT + INNER, bottom);
        for (bin, &count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let tall = count as f64 / most * (height - 12.0);
            let x = LEFT + bin as f64 / BINS as f64 * INNER;
            inside += &block(x, bottom - tall, INNER / BINS as f64 - 1.0, tall, colour);
        }
    }
    let below = height * rows.len() as f64 + 16.0;
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        let words = format!("{:.0} ms", share * longest / 1e3);
        let anchor = if quarter == 4 { "end" } else { "middle" };
        inside += &text(LEFT + share * INNER, below, anchor, &words);
    }
    svg(below + 8.0, "how often a frame took how long", &inside)
}

/// Temperature and clock over the run.
pub fn heat(before: &Value, rows: &[&Value]) -> Option<String> {
    let states: Vec<&Value> = std::iter::once(before)
        .chain(rows.iter().map(|row| &row["state"]))
        .collect();
    let mut inside = String::new();
    let mut drawn = 0;
    for ((key, unit), colour) in [("temperature_celsius", "°C"), ("clock_mhz", "MHz")]
        .into_iter()
        .zip([COLOURS[4], COLOURS[3]])
    {
        let values: Vec<f64> = states
            .iter()
            .filter_map(|state| state[key].as_f64())
            .collect();
        if values.len() < 2 {
            continue;
        }
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
        let top = 10.0 + 90.0 * f64::from(drawn);
        let mut points = String::new();
        for (at, value) in values.iter().enumerate() {
            let x = LEFT + at as f64 / (values.len() - 1) as f64 * (INNER - 60.0);
            let y = top + 60.0 - (value - low) / (high - low).max(1e-9) * 50.0;
            let _ = write!(points, "{x:.1},{y:.1} ");
            inside += &text(x, y - 6.0, "middle", &format!("{value:.0}"));
        }
        inside += &text(LEFT - 8.0, top + 40.0, "end", unit);
        let points = points.trim_end();
        let _ = write!(
            inside,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        drawn += 1;
    }
    if drawn == 0 {
        return None;
    }
    let bottom = 10.0 + 90.0 * f64::from(drawn);
    let last = states.len() - 1;
    let apart = (INNER - 60.0) / last as f64;
    // Names that would lie over each other are left out.
    for at in (0..=last).step_by((WIDEST / apart).ceil() as usize) {
        let x = LEFT + at as f64 * apart;
        let words = match at {
            0 => "before".to_owned(),
            at => name(rows[at - 1]),
        };
        inside += &text(x, bottom, "middle", &words);
    }
    svg(bottom + 10.0, "temperature and clock over the run", &inside)
}

/// The steps from entropy to resolution, and the picture among them.
pub fn policy(policy: &Value) -> Option<String> {
    let numbers = |key: &str| -> Option<Vec<f64>> {
        policy[key].as_array()?.iter().map(Value::as_f64).collect()
    };
    let (thresholds, sides) = (numbers("entropy_bits")?, numbers("resolutions")?);
    let highest = *sides.last()?;
    if thresholds.len() + 1 != sides.len() {
        return None;
    }
    let x = |bits: f64| LEFT + bits / 8.0 * INNER;
    let y = |side: f64| 150.0 - side / highest * 130.0;
    let mut inside = rule(LEFT, 150.0, LEFT + INNER, 150.0);
    let mut from = 0.0;
    for (at, &side) in sides.iter().enumerate() {
        let to = thresholds.get(at).copied().unwrap_or(8.0);
        if to <= from {
            continue;
        }
        let (top, middle) = (y(side), x((from + to) / 2.0));
        inside += &block(x(from), top, x(to) - x(from), 150.0 - top, COLOURS[2]);
        inside += &text(middle, top - 4.0, "middle", &side.to_string());
        from = to;
    }
    if let Some(bits) = policy["picture_bits"].as_f64() {
        let step = thresholds
            .iter()
            .take_while(|&&threshold| bits >= threshold)
            .count();
        let (x, y) = (x(bits), y(sides[step]));
        let _ = write!(
            inside,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{}\"/>",
            COLOURS[4]
        );
    }
    for bits in 0..=8 {
        inside += &text(x(f64::from(bits)), 166.0, "middle", &bits.to_string());
    }
    inside += &text(LEFT + INNER, 182.0, "end", "bits");
    svg(190.0, "resolution by entropy", &inside)
}
