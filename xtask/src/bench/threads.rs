//! What several threads share of an inference: what cutting the work costs, and how even the shares are.
//!
//! An emulator tells nothing about threads that run at once, so one thread does what several would do (`Pool::marked` of
//! `runtime/sys`), with a mark around each thread's part of what is shared. Threads meet after each, so an inference lasts as
//! long as the largest parts:
//!
//! | figure | |
//! |---|---|
//! | `instructions_one` | one thread, nothing cut |
//! | `instructions_cut` | all that several threads do |
//! | `overhead` | `instructions_cut / instructions_one - 1` |
//! | `instructions_threads` | what each thread does; the first is the caller's, which does what is not shared besides |
//! | `balance` | mean over maximum of these |
//! | `meetings` | how often threads share something and wait for one another |
//! | `instructions_path` | the largest part each time, added up, and what is not shared |
//! | `speed_up` | `instructions_one / instructions_path`: what threads could gain at most if instructions were time |
//!
//! Limits: a thread's waiting is not counted, nor what threads take from each other in caches and memory.

use super::emulated::{Bench, Row, Subject};
use super::report::{core, head, line};
use super::table::millions;
use anyhow::{Result, ensure};
use serde::Serialize;

/// The numbers of threads in the report: boards have four cores.
pub const COUNTS: [usize; 3] = [2, 3, 4];

/// One resolution on one core. Field names are the JSON's and stay stable.
#[derive(Debug, PartialEq, Serialize)]
pub struct Shared {
    pub cpu: String,
    pub isa: String,
    pub resolution: u32,
    pub threads: usize,
    pub instructions_one: u64,
    pub instructions_cut: u64,
    pub overhead: f64,
    pub instructions_threads: Vec<u64>,
    pub balance: f64,
    pub meetings: usize,
    pub instructions_path: u64,
    pub speed_up: f64,
}

/// Counts what `threads` share of `subject`, of which `one` are the rows of one thread.
pub fn count(bench: &Bench, subject: &Subject, one: &[Row], threads: usize) -> Result<Vec<Shared>> {
    let threads_of = Subject {
        threads: Some(threads),
        ..*subject
    };
    let cut = bench.count(&one[0].cpu, &threads_of)?;
    let rows = one.iter().zip(&cut);
    rows.map(|(one, cut)| shared(one, cut, threads)).collect()
}

fn shared(one: &Row, cut: &Row, threads: usize) -> Result<Shared> {
    ensure!(
        cut.resolution == one.resolution && cut.shares.len().is_multiple_of(threads),
        "{} parts at {} are not those of {threads} threads at {}",
        cut.shares.len(),
        cut.resolution,
        one.resolution
    );
    let mut each = vec![0; threads];
    let mut path = 0;
    let meetings = cut.shares.chunks_exact(threads);
    for parts in meetings.clone() {
        path += parts.iter().max().copied().unwrap_or_default();
        let sums = each.iter_mut().zip(parts);
        sums.for_each(|(sum, part)| *sum += part);
    }
    // What is not shared is the caller's.
    let whole = cut.instructions_encode.saturating_sub(each.iter().sum());
    each[0] += whole;
    path += whole;
    let (sum, most) = (each.iter().sum::<u64>(), each.iter().max().copied());
    let ratio = |part: u64, whole: f64| (part as f64 / whole * 1e4).round() / 1e4;
    Ok(Shared {
        cpu: one.cpu.clone(),
        isa: one.isa.clone(),
        resolution: one.resolution,
        threads,
        instructions_one: one.instructions_encode,
        instructions_cut: cut.instructions_encode,
        overhead: ratio(cut.instructions_encode, one.instructions_encode as f64) - 1.0,
        balance: ratio(sum, (threads as u64 * most.unwrap_or(1)) as f64),
        instructions_threads: each,
        meetings: meetings.len(),
        instructions_path: path,
        speed_up: ratio(one.instructions_encode, path as f64),
    })
}

/// The row as text.
pub fn text(row: &Shared) -> String {
    let shares: Vec<String> = row
        .instructions_threads
        .iter()
        .copied()
        .map(millions)
        .collect();
    format!(
        "{} ({}) at {}, {} threads: {} M in all, {} M by one ({:+.1} %); each {} M, balance {:.2}; \
         {} meetings, longest path {} M, {:.2} times fewer",
        row.cpu,
        row.isa,
        row.resolution,
        row.threads,
        millions(row.instructions_cut),
        millions(row.instructions_one),
        row.overhead * 100.0,
        shares.join(", "),
        row.balance,
        row.meetings,
        millions(row.instructions_path),
        row.speed_up
    )
}

/// The report.
pub fn markdown(rows: &[Shared]) -> String {
    let mut text = "# What threads share of an inference\n\n\
        Made by `cargo xtask bench --report` with `instructions.md`, or by `--report-threads` with `caches.md`: the same encoder, \
        counted the same way, its work cut for several threads and done by one, all of it (*cut*) or what one of the threads does \
        (*largest share*). *Overhead* is what the cutting costs; *balance* is the mean of the threads' shares over the largest. \
        Threads wait for one another each time that they shared something (*meetings*): *path* is the largest part each time \
        added up, with what is not shared, and *speed-up* what threads gain at most if instructions were time. Every number of \
        threads computes the same bytes.\n\n"
        .to_owned();
    text += &head(&[
        "core",
        "size",
        "threads",
        "one, M",
        "cut, M",
        "overhead",
        "largest share, M",
        "balance",
        "meetings",
        "path, M",
        "speed-up",
    ]);
    for row in rows {
        let most = row.instructions_threads.iter().max().copied();
        line(
            &mut text,
            &[
                core(&row.cpu),
                row.resolution.to_string(),
                row.threads.to_string(),
                millions(row.instructions_one),
                millions(row.instructions_cut),
                format!("{:+.1} %", row.overhead * 100.0),
                millions(most.unwrap_or_default()),
                format!("{:.2}", row.balance),
                row.meetings.to_string(),
                millions(row.instructions_path),
                format!("{:.2}", row.speed_up),
            ],
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::emulated::tests::made_up;

    /// A row of so many instructions, with threads' parts.
    fn row(instructions: u64, shares: &[u64]) -> Row {
        Row {
            instructions_encode: instructions,
            shares: shares.to_vec(),
            ..made_up().remove(0)
        }
    }

    #[test]
    fn what_is_shared_lasts_as_long_as_its_largest_part() {
        let (one, cut) = (row(1100, &[]), row(1150, &[600, 450]));
        let shared = shared(&one, &cut, 2).unwrap();
        assert_eq!((shared.threads, shared.meetings), (2, 1));
        assert!((shared.overhead - 0.0455).abs() < 1e-9, "{shared:?}");
        // A hundred are not shared: the caller does them.
        assert_eq!(shared.instructions_threads, [700, 450]);
        assert_eq!(shared.balance, 0.8214);
        assert_eq!(shared.instructions_path, 700);
        assert_eq!(shared.speed_up, 1.5714);
        assert!(text(&shared).contains("balance 0.82"), "{}", text(&shared));
    }

    #[test]
    fn the_largest_parts_need_not_be_of_one_thread() {
        let (one, cut) = (row(2000, &[]), row(2000, &[600, 400, 400, 600]));
        let shared = shared(&one, &cut, 2).unwrap();
        assert_eq!(shared.balance, 1.0);
        assert_eq!(shared.instructions_path, 1200);
        let table = markdown(&[shared]);
        assert!(
            table
                .lines()
                .last()
                .unwrap()
                .ends_with("| 1.00 | 2 | 0.00 | 1.67 |"),
            "{table}"
        );
    }

    #[test]
    fn parts_of_other_threads_are_not_added_up() {
        assert!(shared(&row(9, &[]), &row(9, &[3, 3, 3]), 2).is_err());
    }
}
