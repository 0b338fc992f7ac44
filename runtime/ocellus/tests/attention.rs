//! Attention through the library's door: what a run must not do behind the caller's back.
#![allow(missing_docs)]

use allocation_counter::measure;
use ocellus::attention::{BlockAttention, Outputs, Precision, Prompts, Tokens};

/// Values of no pattern that an index could follow.
fn reals(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0)
        .collect()
}

#[test]
fn a_run_allocates_nothing() {
    let (tokens, heads, d, cells) = (40, 2, 24, 7 * 9);
    let (keys, values) = (reals(tokens * heads * d, 1), reals(tokens * heads * d, 2));
    let labels: Vec<u32> = (0..tokens as u32).map(|token| token / 2).collect();
    for precision in [Precision::Int8, Precision::F32] {
        let prompts = Prompts::new(
            ocellus::detect_isa(),
            precision,
            Tokens {
                shape: [tokens, heads, d],
                keys: &keys,
                values: Some(&values),
                labels: &labels,
                label_count: tokens / 2,
                valid: &vec![true; tokens],
                always: &vec![false; tokens],
                scale: 0.5,
            },
        )
        .expect("sound tokens");
        for top_k in [1, 5, 40] {
            let attention = BlockAttention::new(&prompts, [7, 9], [2, 3], top_k);
            let mut attention = attention.expect("a map");
            let queries = reals(cells * heads * d, 3);
            let mut attended = vec![0.0; queries.len()];
            let mut relevance = vec![0.0; cells * tokens / 2];
            let mut run = || {
                let outputs = Outputs {
                    attended: Some(&mut attended),
                    relevance: Some(&mut relevance),
                };
                attention.run(&prompts, &queries, outputs)
            };
            let mut outcome = Ok(());
            let allocated = measure(|| outcome = run());
            assert_eq!(
                (allocated.count_total, outcome),
                (0, Ok(())),
                "{precision:?} {top_k}"
            );
            for cell in 0..cells {
                let sum: f32 = relevance.iter().skip(cell).step_by(cells).sum();
                assert!((sum - 1.0).abs() < 1e-4, "{precision:?} {top_k}: {sum}");
            }
        }
    }
}
