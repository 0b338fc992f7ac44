//! The runs of an example program, each with what it printed of itself and what was counted of it.

use crate::counter::Counter;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// One run, counted.
#[derive(Debug, Serialize)]
pub(super) struct Counted<T> {
    pub cpu: String,
    #[serde(flatten)]
    pub of: T,
    pub instructions: u64,
}

/// Runs `program` on a core.
pub(super) fn count<T: DeserializeOwned>(
    counter: &Counter,
    cpu: &str,
    program: &Path,
    arguments: &[String],
) -> Result<Vec<Counted<T>>> {
    let (counts, printed) = counter.run(cpu, program, arguments)?;
    joined(cpu, &printed, &counts.regions)
}

/// Puts what an example program printed, a line of JSON for each run, and what was counted together.
pub(super) fn joined<T: DeserializeOwned>(
    cpu: &str,
    printed: &str,
    counts: &[u64],
) -> Result<Vec<Counted<T>>> {
    let runs = printed
        .lines()
        .map(|text| serde_json::from_str(text).with_context(|| format!("it printed {text:?}")))
        .collect::<Result<Vec<T>>>()?;
    ensure!(
        runs.len() == counts.len(),
        "the example names {} runs and {} were counted",
        runs.len(),
        counts.len()
    );
    let row = |(of, &instructions)| Counted {
        cpu: cpu.to_owned(),
        of,
        instructions,
    };
    Ok(runs.into_iter().zip(counts).map(row).collect())
}
