//! The report for people.

use super::{job::STAGES, rows, subject};
use crate::build;
use serde_json::Value;

/// Prints it.
pub fn print(report: &Value) {
    let text = |key: &str| report[key].as_str().unwrap_or_default();
    let regions = match report["int8_regions"].as_bool() {
        Some(false) => ", without INT8 regions",
        _ => "",
    };
    println!(
        "{} {}, {}; {} of bundle {}{regions}",
        text("architecture"),
        text("cpu"),
        text("isa"),
        text("model"),
        report["bundle"]["name"].as_str().unwrap_or_default(),
    );
    println!(
        "version {}, commit {}, bundle {}",
        text("version"),
        report["commit"]
            .as_str()
            .map_or_else(|| "unknown".to_owned(), build::short),
        report["bundle"]["sha256"].as_str().unwrap_or_default(),
    );
    println!(
        "load {} us, peak memory {} bytes, {} runs each",
        report["load_us"], report["peak_rss_bytes"], report["iterations"]
    );
    machine(&report["machine"]);
    println!(
        "{:>15} {:>7} {:>8} {:>12} {:>12} {:>12}",
        "resolution", "threads", "stage", "p50 us", "p95 us", "p99 us"
    );
    for row in rows(report) {
        let measured = STAGES
            .iter()
            .map(|(stage, _)| (stage, &row["stages"][stage]));
        for (stage, us) in measured.filter(|(_, us)| us.is_object()) {
            let us = |p: &str| us[p].as_u64().unwrap_or_default();
            println!(
                "{:>15} {:>7} {stage:>8} {:>12} {:>12} {:>12}",
                subject(row),
                row["threads"].as_u64().unwrap_or_default(),
                us("p50_us"),
                us("p95_us"),
                us("p99_us")
            );
        }
    }
    for row in rows(report).filter(|row| row["policy"].is_string()) {
        let escalated = match row["escalated"].as_bool() {
            Some(true) => ", escalated",
            _ => "",
        };
        println!("{}: {}{escalated}", subject(row), row["resolution"]);
    }
    for row in rows(report).filter(|row| row["energy"].is_object()) {
        let of = |key: &str| row["energy"][key].as_f64().unwrap_or_default();
        println!(
            "{:>15} {:>7} {:.1} mJ a run, the whole board's, at {:.2} W",
            subject(row),
            row["threads"],
            of("per_run_mj"),
            of("mean_watts"),
        );
    }
    for row in rows(report).filter(|row| row["steady"] == false) {
        println!(
            "not steady after {} runs at {} with {} threads",
            row["warm_up_runs"],
            subject(row),
            row["threads"]
        );
    }
    for row in rows(report).filter(|row| row["steps"].is_array()) {
        steps(row);
    }
    comparison(list(&report["comparison"]));
    if let Some(why) = report["invalid_because"].as_str() {
        println!("NOT VALID: {why}; let it cool down, or give it more power, and measure again");
    }
}

/// What the machine is and how it was.
fn machine(machine: &Value) {
    let known = |key: &str| machine[key].as_str().unwrap_or("unknown").to_owned();
    println!(
        "board {}, kernel {}, pages of {} bytes, governor {}",
        machine["model"].as_str().unwrap_or("none"),
        known("kernel"),
        machine["page_size_bytes"],
        machine["before"]["governor"].as_str().unwrap_or("unknown"),
    );
    for (key, unit) in [
        ("temperature_celsius", "degrees Celsius"),
        ("clock_mhz", "MHz"),
        ("power_watts", "W"),
    ] {
        let [before, after] = ["before", "after"].map(|when| machine[when][key].as_f64());
        if let (Some(before), Some(after)) = (before, after) {
            println!("{before:.1} {unit} before, {after:.1} after");
        }
    }
}

fn comparison(rows: &[Value]) {
    for row in rows {
        println!(
            "{:>15} {:>7} {:>8} {:>12} {:>12}  {}",
            subject(row),
            row["threads"],
            row["stage"].as_str().unwrap_or_default(),
            row["before_p50_us"],
            row["p50_us"],
            row["verdict"].as_str().unwrap_or_default()
        );
    }
}

fn steps(row: &Value) {
    println!(
        "\n{:>10} {:>8} {:>12} {:>12}  operation at {} with {} threads",
        "p50 us", "share", "M MACs", "MACs/ns", row["resolution"], row["threads"]
    );
    let (mut ns_sum, mut macs_sum) = (0, 0);
    for step in list(&row["steps"]) {
        let number = |key: &str| step[key].as_u64().unwrap_or_default();
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        let (ns, macs) = (number("p50_ns"), number("macs"));
        let share = step["share"].as_f64().unwrap_or_default();
        (ns_sum, macs_sum) = (ns_sum + ns, macs_sum + macs);
        let words = format!("{} [{}] {}", text("op"), text("kernel"), text("name"));
        line(ns, share, macs, &words);
    }
    line(ns_sum, 1.0, macs_sum, "in all");
}

fn line(ns: u64, share: f64, macs: u64, words: &str) {
    let (us, millions) = (ns as f64 / 1e3, macs as f64 / 1e6);
    let rate = macs as f64 / ns.max(1) as f64;
    println!(
        "{us:>10.1} {:>6.1} % {millions:>12.3} {rate:>12.2}  {words}",
        share * 100.0
    );
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
