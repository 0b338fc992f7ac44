//! What goes through the caches: an inference layer by layer, and depth first.
//!
//! Both are runs of the same encoder with the same bytes; where it is watched, convolutions that else run together run one
//! after another (`runtime/encoder/src/region/bands.rs`). The data caches are those of the plugin (`xtask/plugin/count.c`).
//!
//! Four threads share the second level where cores do. One does the parts of all of them, one after the other.
//!
//! Limits: nothing is prefetched and instructions are not cached; the second level is one program's alone. Threads use one
//! first level in turn, so what that misses is not theirs.

use super::emulated::{Bench, Region, Subject};
use super::report::{core, head, line};
use super::table::millions;
use crate::counter;
use anyhow::{Context, Result};
use serde::Serialize;

/// One resolution on one core. Field names are the JSON's.
#[derive(Debug, PartialEq, Serialize)]
pub struct Row {
    pub cpu: String,
    pub resolution: u32,
    pub threads: usize,
    /// The second level's size.
    pub l2_kib: usize,
    pub bytes_beyond_layers: u64,
    pub bytes_beyond: u64,
    /// `bytes_beyond / bytes_beyond_layers`.
    pub ratio: f64,
    pub first_level_misses_layers: u64,
    pub first_level_misses: u64,
    pub instructions_layers: u64,
    pub instructions: u64,
    /// `instructions / instructions_layers - 1`.
    pub overhead: f64,
}

/// The cores of which each has a second level of its own: what several threads move is not to be seen in one.
const OWN_L2: [&str; 1] = ["cortex-a76"];

/// Counts on one core, and on four of them.
pub fn count(bench: &Bench, cpu: &str) -> Result<Vec<Row>> {
    let [_, [l2_kib, _]] = counter::caches(cpu)?;
    let counts = match OWN_L2.contains(&cpu) {
        true => &[1][..],
        false => &[1, 4],
    };
    let mut rows = Vec::new();
    for &threads in counts {
        let subject = Subject {
            threads: Some(threads),
            ..Subject::default()
        };
        for (resolution, regions) in bench.moved(cpu, &subject)? {
            rows.push(row((cpu, threads), l2_kib, resolution, &regions)?);
        }
    }
    Ok(rows)
}

fn row(
    (cpu, threads): (&str, usize),
    l2_kib: usize,
    resolution: u32,
    regions: &[Region],
) -> Result<Row> {
    let region = |name: &str| {
        let found = regions.iter().find(|region| region.name == name);
        found.with_context(|| format!("the program marks no region {name}"))
    };
    let (layers, depth_first) = (region("layers")?, region("encode")?);
    let ratio = |part: u64, whole: u64| (part as f64 / whole as f64 * 1e4).round() / 1e4;
    Ok(Row {
        cpu: cpu.to_owned(),
        resolution,
        threads,
        l2_kib,
        bytes_beyond_layers: layers.moved.bytes_beyond,
        bytes_beyond: depth_first.moved.bytes_beyond,
        ratio: ratio(depth_first.moved.bytes_beyond, layers.moved.bytes_beyond),
        first_level_misses_layers: layers.moved.first_level_misses,
        first_level_misses: depth_first.moved.first_level_misses,
        instructions_layers: layers.instructions,
        instructions: depth_first.instructions,
        overhead: ratio(depth_first.instructions, layers.instructions) - 1.0,
    })
}

/// The report.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "# What goes through the caches\n\n\
         Made by `cargo xtask bench --report` with `instructions.md`, or by `--report-threads` with `threads.md`: the default bundle's encoder, one warm inference, f32 image in, \
         logits out, with simulated data caches: 64-byte lines, least recently used, nothing prefetched. *Layer by layer* each \
         layer's map is whole before the next begins; *depth first*, which is how the encoder runs, the large maps of the first blocks \
         exist a few rows at a time. Four threads share the bands and the second level; one does what they would do, one after the \
         other, and what the first level misses is not theirs. Each Cortex-A76 has a second level of its own, so there is no row of \
         four. *Beyond L2* is what the second level reads and writes in the memory behind it, weights included, \
         in megabytes; about five of them are weights, each read once in any order, so a ratio cannot fall to zero, and falls less \
         the more of the maps the second level holds anyway, as the 1 MiB of the Cortex-A72 does. Both compute the same bytes.\n\n",
    );
    text += &head(&[
        "core",
        "size",
        "threads",
        "L2, KiB",
        "layer by layer, MB beyond L2",
        "depth first, MB beyond L2",
        "ratio",
        "L1 misses, thousand: before",
        "after",
        "instructions, M: before",
        "after",
        "overhead",
    ]);
    let megabytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1e6);
    let misses = |row: &Row, count: u64| match row.threads {
        1 => format!("{:.0}", count as f64 / 1e3),
        _ => "-".to_owned(),
    };
    for row in rows {
        line(
            &mut text,
            &[
                core(&row.cpu),
                row.resolution.to_string(),
                row.threads.to_string(),
                row.l2_kib.to_string(),
                megabytes(row.bytes_beyond_layers),
                megabytes(row.bytes_beyond),
                format!("{:.2}", row.ratio),
                misses(row, row.first_level_misses_layers),
                misses(row, row.first_level_misses),
                millions(row.instructions_layers),
                millions(row.instructions),
                format!("{:+.1} %", 100.0 * row.overhead),
            ],
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::Moved;

    #[test]
    fn a_row_is_of_the_two_runs_whatever_else_was_marked() {
        let region = |name: &str, instructions, bytes_beyond| Region {
            name: name.into(),
            instructions,
            moved: Moved {
                first_level_misses: 70,
                bytes_beyond,
            },
        };
        let mut regions = vec![
            region("step", 1, 1),
            region("layers", 1000, 14_000_000),
            region("encode", 1020, 6_300_000),
        ];
        let row = row(("cortex-a53", 4), 512, 224, &regions).unwrap();
        assert_eq!((row.ratio, row.instructions_layers), (0.45, 1000));
        assert!((row.overhead - 0.02).abs() < 1e-9);
        let text = markdown(&[row]);
        let cells = "| Cortex-A53 | 224 | 4 | 512 | 14.00 | 6.30 | 0.45 | - | - |";
        assert!(text.lines().last().unwrap().starts_with(cells), "{text}");
        regions.remove(1);
        let error = super::row(("cortex-a53", 1), 512, 224, &regions).unwrap_err();
        assert!(error.to_string().contains("layers"), "{error}");
    }
}
