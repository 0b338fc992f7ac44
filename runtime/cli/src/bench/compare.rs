//! Two measurements of the same thing: what became slower beyond noise.

use super::{job::STAGES, rows as rows_of, subject};
use crate::Usage;
use anyhow::Context;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// A difference that is no news, as a share of the time before.
const LEAST_SHARE: f64 = 0.03;

/// ... and in microseconds: clocks and caches alone move short stages by that much.
const LEAST_US: f64 = 50.0;

/// What must be the same in both, for a comparison to be of one thing.
const SAME: [&str; 6] = [
    "architecture",
    "cpu",
    "isa",
    "model",
    "int8_regions",
    "source",
];

/// A report that was written before.
pub fn read(path: &Path) -> anyhow::Result<Value> {
    let name = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(name)?;
    let base: Value = serde_json::from_str(&text)
        .with_context(|| format!("{}: expected the output of `ocellus bench --json`", name()))?;
    if base["valid"] != true {
        return Err(Usage(format!(
            "--compare: {} does not say \"valid\": true; measure it again",
            name()
        ))
        .into());
    }
    Ok(base)
}

/// Every stage that both have, with its verdict: `same`, `faster` or `slower`.
///
/// A stage became slower where its median grew by more than the noise: the larger of the two distances from p50 to p95,
/// 3 percent and 50 microseconds.
pub fn compare(report: &Value, base: &Value) -> anyhow::Result<Vec<Value>> {
    for key in SAME {
        if report[key] != base[key] {
            return Err(Usage(format!(
                "--compare: {key}: expected {}, got {}; only measurements of the same thing can be compared",
                report[key], base[key]
            ))
            .into());
        }
    }
    let mut rows = Vec::new();
    for row in rows_of(report) {
        // A report of before threads were counted has one.
        let key = |row: &Value| {
            let threads = row["threads"].as_u64().unwrap_or(1);
            (subject(row), threads)
        };
        let (_, threads) = key(row);
        let Some(before) = rows_of(base).find(|before| key(before) == key(row)) else {
            continue;
        };
        for (stage, _) in STAGES {
            let times = [&before["stages"][stage], &row["stages"][stage]];
            let [Some(old), Some(new)] = times.map(|times| times["p50_us"].as_f64()) else {
                continue;
            };
            let spread = times.map(|times| {
                let [p50, p95] = ["p50_us", "p95_us"].map(|key| times[key].as_f64());
                p95.unwrap_or_default() - p50.unwrap_or_default()
            });
            let noise = spread[0]
                .max(spread[1])
                .max(LEAST_SHARE * old)
                .max(LEAST_US);
            let verdict = match new - old {
                grown if grown > noise => "slower",
                grown if grown < -noise => "faster",
                _ => "same",
            };
            let mut compared = json!({
                "resolution": row["resolution"],
                "threads": threads,
                "stage": stage,
                "before_p50_us": old,
                "p50_us": new,
                "noise_us": noise,
                "verdict": verdict,
            });
            if let Some(policy) = row["policy"].as_str() {
                compared["policy"] = policy.into();
            }
            rows.push(compared);
        }
    }
    if rows.is_empty() {
        return Err(Usage(
            "--compare: the two have no resolution or policy and number of threads in common"
                .into(),
        )
        .into());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(encode: [u64; 2]) -> Value {
        let us = |[p50, p95]: [u64; 2]| json!({"p50_us": p50, "p95_us": p95, "p99_us": p95});
        json!({
            "cpu": "Cortex-A72",
            "resolutions": [{
                "resolution": 112,
                "stages": {"encode": us(encode), "look": us([40, 41])},
            }],
        })
    }

    /// The verdict on the encoder.
    fn verdict(before: [u64; 2], now: [u64; 2]) -> String {
        let rows = compare(&report(now), &report(before)).expect("a comparison");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["verdict"], "same");
        rows[1]["verdict"].as_str().expect("a verdict").to_owned()
    }

    #[test]
    fn slower_is_what_grew_beyond_the_noise() {
        assert_eq!(verdict([10_000, 10_100], [10_290, 10_300]), "same");
        assert_eq!(verdict([10_000, 10_100], [10_310, 10_320]), "slower");
        assert_eq!(verdict([10_000, 11_000], [10_900, 10_950]), "same");
        assert_eq!(verdict([10_000, 10_100], [10_900, 12_000]), "same");
        assert_eq!(verdict([10_000, 10_100], [9_000, 9_100]), "faster");
        assert_eq!(verdict([100, 101], [149, 149]), "same");
    }

    #[test]
    fn a_policy_is_compared_with_itself() {
        let with = |us: u64| {
            let mut report = report([us, us]);
            let mut row = report["resolutions"][0].clone();
            row["policy"] = "cascade".into();
            report["policies"] = json!([row]);
            report["resolutions"][0]["stages"]["encode"]["p50_us"] = 1.into();
            report
        };
        let rows = compare(&with(20_000), &with(10_000)).expect("a comparison");
        let slower: Vec<&Value> = rows
            .iter()
            .filter(|row| row["verdict"] == "slower")
            .collect();
        assert_eq!(slower.len(), 1, "{rows:?}");
        assert_eq!(
            (&slower[0]["policy"], &slower[0]["stage"]),
            (&"cascade".into(), &"encode".into())
        );
    }

    #[test]
    fn different_things_are_not_compared() {
        let mut other = report([1, 1]);
        other["cpu"] = "Cortex-A53".into();
        let error = compare(&report([1, 1]), &other).expect_err("another core");
        assert!(error.to_string().contains("Cortex-A53"), "{error}");
        let mut none = report([1, 1]);
        none["resolutions"][0]["resolution"] = 160.into();
        assert!(compare(&report([1, 1]), &none).is_err());
        let mut more = report([1, 1]);
        more["resolutions"][0]["threads"] = 4.into();
        assert!(compare(&more, &report([1, 1])).is_err());
        assert!(compare(&more, &more).is_ok());
    }
}
