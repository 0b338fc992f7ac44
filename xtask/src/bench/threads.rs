//! What several threads share of an inference: what cutting the work costs, and how even the shares are.
//!
//! An emulator tells nothing about threads that run at once, so one thread does what several would do (`Pool::in_turn`,
//! `Pool::rehearsal` of `runtime/sys`): once all of it, and once for each thread what that thread alone does. Steps wait for
//! one another, so an inference lasts as long as the largest share of each step:
//!
//! | figure | |
//! |---|---|
//! | `instructions_one` | one thread, nothing cut |
//! | `instructions_cut` | all that several threads do |
//! | `overhead` | `instructions_cut / instructions_one - 1` |
//! | `instructions_threads` | what each thread does; the first is the caller's, which does the steps that are not cut besides |
//! | `balance` | mean over maximum of these |
//! | `instructions_path` | the largest share of each step, added up, and what is beyond the steps |
//! | `speed_up` | `instructions_one / instructions_path`: what threads could gain at most if instructions were time |
//!
//! Limits: a thread's waiting is not counted, nor what threads take from each other in caches and memory.

use super::emulated::{Bench, Cut, Row, Subject};
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
    pub instructions_path: u64,
    pub speed_up: f64,
}

/// Counts what `threads` share of `subject`, of which `one` are the rows of one thread.
pub fn count(bench: &Bench, subject: &Subject, one: &[Row], threads: usize) -> Result<Vec<Shared>> {
    let run = |part| {
        let cut = Some(Cut { threads, part });
        bench.count(&one[0].cpu, &Subject { cut, ..*subject })
    };
    let cut = run(None)?;
    let parts: Vec<Vec<Row>> = (0..threads)
        .map(|part| run(Some(part)))
        .collect::<Result<_>>()?;
    (0..one.len())
        .map(|at| {
            let parts: Vec<&Row> = parts.iter().map(|rows| &rows[at]).collect();
            shared(&one[at], &cut[at], &parts)
        })
        .collect()
}

fn shared(one: &Row, cut: &Row, parts: &[&Row]) -> Result<Shared> {
    let threads = parts.len();
    let same = |row: &Row| (row.resolution, row.steps.len()) == (one.resolution, one.steps.len());
    ensure!(
        same(cut) && parts.iter().all(|part| same(part)),
        "the steps of one thread and of {threads} are not the same"
    );
    let mut each = vec![0; threads];
    let mut path = 0;
    for step in 0..one.steps.len() {
        let shares: Vec<u64> = parts
            .iter()
            .map(|part| part.steps[step].instructions)
            .collect();
        path += shares.iter().max().copied().unwrap_or_default();
        // What is not cut, every rehearsal does whole: it is the caller's.
        let whole = cut.steps[step].instructions;
        for (at, sum) in each.iter_mut().enumerate() {
            *sum += match (shares.iter().sum::<u64>() > whole + whole / 2, at) {
                (true, 0) => whole,
                (true, _) => 0,
                (false, _) => shares[at],
            };
        }
    }
    let beyond = one.instructions_beyond().max(0) as u64;
    each[0] += beyond;
    path += beyond;
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
         longest path {} M, {:.2} times fewer",
        row.cpu,
        row.isa,
        row.resolution,
        row.threads,
        millions(row.instructions_cut),
        millions(row.instructions_one),
        row.overhead * 100.0,
        shares.join(", "),
        row.balance,
        millions(row.instructions_path),
        row.speed_up
    )
}

/// The report.
pub fn markdown(rows: &[Shared]) -> String {
    let mut text = "# What threads share of an inference\n\n\
        Made by `cargo xtask bench --report` with `instructions.md`: the same encoder, counted the same way, its work cut for \
        several threads and done by one, all of it (*cut*) or what one of the threads does (*largest share*). *Overhead* is \
        what the cutting costs; *balance* is the mean of the threads' shares over the largest. Steps wait for one another: \
        *path* is the largest share of each step added up, and *speed-up* what threads gain at most if instructions were \
        time. Every number of threads computes the same bytes.\n\n"
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

    /// A row whose two steps took so many instructions, and nothing beyond.
    fn row(steps: [u64; 2]) -> Row {
        let mut row = made_up().remove(0);
        for (step, instructions) in row.steps.iter_mut().zip(steps) {
            step.instructions = instructions;
        }
        row.instructions_encode = steps.iter().sum();
        row
    }

    #[test]
    fn a_step_that_is_cut_lasts_as_long_as_its_largest_share() {
        let (one, cut) = (row([1000, 100]), row([1050, 100]));
        let parts = [row([600, 100]), row([450, 100])];
        let shared = shared(&one, &cut, &[&parts[0], &parts[1]]).unwrap();
        assert_eq!((shared.threads, shared.instructions_cut), (2, 1150));
        assert!((shared.overhead - 0.0455).abs() < 1e-9, "{shared:?}");
        // The step of 100 is not cut: the caller does it.
        assert_eq!(shared.instructions_threads, [700, 450]);
        assert_eq!(shared.balance, 0.8214);
        assert_eq!(shared.instructions_path, 700);
        assert_eq!(shared.speed_up, 1.5714);
        assert!(text(&shared).contains("balance 0.82"), "{}", text(&shared));
    }

    #[test]
    fn the_largest_shares_need_not_be_of_one_thread() {
        let one = row([1000, 1000]);
        let parts = [row([600, 400]), row([400, 600])];
        let shared = shared(&one, &one, &[&parts[0], &parts[1]]).unwrap();
        assert_eq!(shared.balance, 1.0);
        assert_eq!(shared.instructions_path, 1200);
        let table = markdown(&[shared]);
        assert!(
            table
                .lines()
                .last()
                .unwrap()
                .ends_with("| 1.00 | 0.00 | 1.67 |"),
            "{table}"
        );
    }

    #[test]
    fn other_steps_are_not_compared() {
        let one = row([1, 1]);
        let mut other = row([1, 1]);
        other.steps.pop();
        assert!(shared(&one, &other, &[&one, &one]).is_err());
    }
}
