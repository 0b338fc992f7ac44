//! The operations of a plan, each with its time.

use super::percentile;
use ocellus::encoder::{EncoderError, Input, Observer, Operation, Plan};
use serde_json::{Value, json};
use std::time::Instant;

/// Takes the time of each operation of each run.
struct Stopwatch {
    begun: Instant,
    /// By operation, then by run.
    ns: Vec<Vec<u64>>,
}

impl Observer for Stopwatch {
    fn begin(&mut self, _: usize) {
        self.begun = Instant::now();
    }

    fn end(&mut self, operation: usize) {
        let ns = self.begun.elapsed().as_nanos() as u64;
        self.ns[operation].push(ns);
    }
}

/// Every operation of `plan` in order, with its p50 over `iterations` runs and its share of the sum of those.
pub fn measure(plan: &Plan, input: Input<'_>, iterations: u32) -> Result<Value, EncoderError> {
    let runs = Vec::with_capacity(iterations as usize);
    let mut stopwatch = Stopwatch {
        begun: Instant::now(),
        ns: vec![runs; plan.operations().len()],
    };
    plan.run(input)?;
    for _ in 0..iterations {
        plan.run_observed(input, &mut stopwatch)?;
    }
    let p50 = |mut ns: Vec<u64>| {
        ns.sort_unstable();
        percentile(&ns, 50)
    };
    let p50_ns: Vec<u64> = stopwatch.ns.into_iter().map(p50).collect();
    // Nothing takes less than a nanosecond in all.
    let sum = p50_ns.iter().sum::<u64>().max(1);
    let steps = plan.operations().iter().zip(p50_ns).map(|(operation, ns)| {
        let mut step = row(operation);
        step["p50_ns"] = ns.into();
        step["share"] = (ns as f64 / sum as f64).into();
        step
    });
    Ok(steps.collect())
}

/// What an operation is, without a figure.
pub fn row(operation: &Operation) -> Value {
    let Operation {
        name,
        op,
        kernel,
        macs,
    } = operation;
    json!({"name": name, "op": op, "kernel": kernel, "macs": macs})
}
