//! The report as one page that needs nothing else: no script, no font, no network.

use super::{chart, job::STAGES, rows, subject};
use crate::{build, html::escaped};
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5c6b7a;--line:#d5dce3;--paper:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9aa8b5;--line:#37424d;--paper:#14191e}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:52rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}p,figcaption{color:var(--soft)}figure{margin:0}\
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}\
svg .axis{stroke:var(--line)}table{border-collapse:collapse;width:100%}\
td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line)}td:first-child,th:first-child{text-align:left}\
.bad{border:2px solid #d1495b;padding:.5rem 1rem;color:var(--ink)}";

/// The page of a report.
pub fn page(report: &Value) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let mut add = |words: &str| page.push_str(words);
    let title = format!("Ocellus on {}", named(report));
    add(&format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n<h1>{0}</h1>\n",
        escaped(&title)
    ));
    if let Some(why) = report["invalid_because"].as_str() {
        let why = escaped(why);
        add(&format!(
            "<p class=\"bad\">These times are not valid: {why}.</p>\n"
        ));
    }
    add(&facts(report));
    let rows: Vec<&Value> = rows(report).collect();
    for (heading, words, drawing) in [
        (
            "Stages",
            "Median time of each stage at each resolution and with each policy, in milliseconds.",
            chart::stages(&rows),
        ),
        (
            "Latency",
            "How often a frame took how long, from its bytes to the report.",
            chart::histograms(&rows),
        ),
        (
            "Heat",
            "Temperature of the cores in degrees Celsius, and their clock, before the first measurement and after each.",
            chart::heat(&report["machine"]["before"], &rows),
        ),
        (
            "Entropy and resolution",
            "The resolution that the bundle's policy begins with at each entropy; the dot is the picture measured here.",
            chart::policy(&report["policy"]),
        ),
    ] {
        let figure = match drawing {
            Some(drawing) => {
                format!("<figure>{drawing}<figcaption>{words}</figcaption></figure>")
            }
            None => "<p>This machine does not say.</p>".to_owned(),
        };
        add(&format!("<h2>{heading}</h2>\n{figure}\n"));
    }
    add(&table(&rows));
    add(&energy(&rows));
    add("</html>\n");
    page
}

/// What was measured, in a few words.
fn named(report: &Value) -> String {
    let board = report["machine"]["model"].as_str();
    let cpu = report["cpu"].as_str().unwrap_or_default();
    board.map_or_else(|| cpu.to_owned(), |board| format!("{board} ({cpu})"))
}

fn facts(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
    let machine = &report["machine"];
    let facts = [
        format!("version {}", text(&report["version"])),
        format!(
            "commit {}",
            report["commit"]
                .as_str()
                .map_or_else(|| "unknown".to_owned(), build::short)
        ),
        format!("instruction set {}", text(&report["isa"])),
        format!(
            "bundle {} ({:.12})",
            text(&report["bundle"]["name"]),
            text(&report["bundle"]["sha256"])
        ),
        format!(
            "{} runs at each resolution of a {}",
            report["iterations"],
            text(&report["source"])
        ),
        format!("kernel {}", text(&machine["kernel"])),
        format!("governor {}", text(&machine["before"]["governor"])),
        format!("pages of {} bytes", machine["page_size_bytes"]),
        format!(
            "load {} ms",
            report["load_us"].as_u64().unwrap_or_default() / 1000
        ),
        format!(
            "peak memory {} MiB",
            report["peak_rss_bytes"].as_u64().unwrap_or_default() >> 20
        ),
    ];
    format!("<p>{}</p>\n", escaped(&facts.join(", ")))
}

fn table(rows: &[&Value]) -> String {
    let mut text = String::from(
        "<h2>Figures</h2>\n<table><tr><th>stage<th>resolution<th>threads<th>p50 us<th>p95 us<th>p99 us</tr>\n",
    );
    for row in rows {
        for (stage, _) in STAGES {
            let us = &row["stages"][stage];
            if us.is_object() {
                let _ = writeln!(
                    text,
                    "<tr><td>{stage}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
                    subject(row),
                    row["threads"],
                    us["p50_us"],
                    us["p95_us"],
                    us["p99_us"]
                );
            }
        }
    }
    text + "</table>\n"
}

/// What the whole board draws while it runs; nothing where that was not measured.
fn energy(rows: &[&Value]) -> String {
    let measured = rows.iter().filter(|row| row["energy"].is_object());
    let cells: String = measured
        .map(|row| {
            let of = |key: &str| row["energy"][key].as_f64().unwrap_or_default();
            format!(
                "<tr><td>{}<td>{}<td>{:.1}<td>{:.2}</tr>\n",
                subject(row),
                row["threads"],
                of("per_run_mj"),
                of("mean_watts")
            )
        })
        .collect();
    match cells.is_empty() {
        true => String::new(),
        false => format!(
            "<h2>Energy</h2>\n<p>Of the whole board, per run.</p>\n\
             <table><tr><th>resolution<th>threads<th>mJ<th>W</tr>\n{cells}</table>\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> Value {
        let us = |us: u64| json!({"p50_us": us, "p95_us": us + 5, "p99_us": us + 9});
        let row = |resolution: u32, us_encode: u64| {
            json!({
                "resolution": resolution,
                "stages": {"decode": us(900), "look": us(90), "resize": us(80), "encode": us(us_encode), "heads": us(70), "total": us(us_encode + 1140)},
                "totals_us": [us_encode + 1140, us_encode + 1141, us_encode + 1900],
                "state": {"temperature_celsius": 61.5, "clock_mhz": 1800},
            })
        };
        let mut policy = row(160, 52_000);
        policy["policy"] = "entropy-cascade".into();
        json!({
            "cpu": "Cortex-A72",
            "isa": "neon",
            "invalid_because": null,
            "machine": {"model": "A <board> & more", "before": {"temperature_celsius": 48.0, "clock_mhz": 600}},
            "policy": {"entropy_bits": [4.0, 7.0], "resolutions": [112, 160, 224], "picture_bits": 6.5},
            "resolutions": [row(112, 27_000), row(160, 51_000), row(224, 98_000)],
            "policies": [policy],
        })
    }

    #[test]
    fn a_page_has_every_chart_and_needs_nothing_else() {
        let page = page(&report());
        assert_eq!(page.matches("<svg").count(), 4, "{page}");
        assert_eq!(page.matches("</svg>").count(), 4);
        for word in ["http", "<script", "src=", "@import", "NaN", "inf"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(
            page.contains("A &lt;board&gt; &amp; more (Cortex-A72)"),
            "{page}"
        );
        assert!(!page.contains("not valid"));
        assert!(
            page.contains("<tr><td>encode<td>entropy-cascade<td>"),
            "{page}"
        );
    }

    #[test]
    fn what_a_machine_does_not_say_is_said() {
        let mut report = report();
        report["machine"]["before"] = json!({});
        report["policy"] = Value::Null;
        report["invalid_because"] = "the cores were slowed down".into();
        for list in ["resolutions", "policies"] {
            for row in report[list].as_array_mut().expect("rows") {
                row["state"] = json!({});
            }
        }
        let page = page(&report);
        assert_eq!(page.matches("does not say").count(), 2, "{page}");
        assert!(page.contains("not valid: the cores were slowed down"));
    }

    #[test]
    fn a_report_of_nothing_is_a_page() {
        assert!(page(&json!({})).contains("</html>"));
    }
}
