//! The specification against plain arithmetic in f64, given the tokens it chose, and its choice against exact scores.

use super::*;

/// Attention to the given tokens in f64, and how far off the scores of [`Precision::Int8`] can be for any cell or block.
struct Exact {
    attended: Vec<f64>,
    relevance: Vec<f64>,
    /// A bound on the error of a score in front of the softmax.
    off: f64,
}

fn exact(case: &Case, precision: Precision, chosen: &[Vec<u32>]) -> Exact {
    let MapShape { heads, d, .. } = case.map;
    let (row, cells) = (heads * d, case.cells());
    let mut exact = Exact {
        attended: vec![0.0; cells * row],
        relevance: vec![0.0; case.label_count * cells],
        off: 0.0,
    };
    for cell in 0..cells {
        let chosen = &chosen[case.block_of(cell)];
        let query = &case.queries[cell * row..][..row];
        for head in 0..heads {
            let q = &query[head * d..][..d];
            let score = |&t: &u32| {
                let k = &case.keys[t as usize * row + head * d..][..d];
                q.iter()
                    .zip(k)
                    .map(|(q, k)| f64::from(*q) * f64::from(*k))
                    .sum::<f64>()
                    * f64::from(case.scale)
            };
            let scores: Vec<f64> = chosen.iter().map(score).collect();
            let greatest = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let sum: f64 = scores.iter().map(|s| (s - greatest).exp()).sum();
            for (score, &t) in scores.iter().zip(chosen) {
                let weight = (score - greatest).exp() / sum;
                let label = case.labels[t as usize] as usize;
                exact.relevance[label * cells + cell] += weight / heads as f64;
                for i in 0..d {
                    let v = f64::from(case.values[t as usize * row + head * d + i]);
                    exact.attended[cell * row + head * d + i] += weight * v;
                }
                let key = &case.keys[t as usize * row..][..row];
                let off = score_off(precision, q, query, &key[head * d..][..d], key);
                exact.off = exact.off.max(off * f64::from(case.scale));
            }
        }
    }
    exact
}

/// How far the product of `q` and `k` can be off, which are quantized with the scales of their rows, or not at all.
fn score_off(precision: Precision, q: &[f32], q_row: &[f32], k: &[f32], k_row: &[f32]) -> f64 {
    let greatest = |x: &[f32]| x.iter().fold(0.0, |a: f64, b| a.max(f64::from(b.abs())));
    let sum = |x: &[f32]| x.iter().map(|x| f64::from(x.abs())).sum::<f64>();
    let len = q.len() as f64;
    let product = len * greatest(q) * greatest(k);
    // Sums and multipliers in f32, whatever the precision.
    let rounding = (len + 8.0) * f64::from(f32::EPSILON) * product;
    match precision {
        Precision::F32 => rounding,
        Precision::Int8 => {
            // Half a step each; a cell's step is at most a 63.5th of its greatest element.
            let (q_off, k_off) = (greatest(q_row) / 127.0, greatest(k_row) / 253.9);
            rounding + sum(q) * k_off + sum(k) * q_off + len * q_off * k_off
        }
    }
}

/// The specification of `case` against f64, given the tokens it chose.
fn check_exact(case: &Case, precision: Precision) {
    let got = case.run(Isa::Scalar, precision);
    let exact = exact(case, precision, &got.chosen);
    // Scores that are off by e change a weight by a factor of at most exp(2 e); the exponential, the sums and the
    // products add a few parts in 100 000.
    let off = (2.0 * exact.off).exp_m1() + 6e-5;
    for (i, (got, exact)) in got.relevance.iter().zip(&exact.relevance).enumerate() {
        let bound = off * exact + 1e-30;
        assert!(
            (f64::from(*got) - exact).abs() <= bound,
            "{case:?}: relevance {i}: {got} {exact}"
        );
    }
    let bound = off * f64::from(case.value_bound());
    for (i, (got, exact)) in got.attended.iter().zip(&exact.attended).enumerate() {
        assert!(
            (f64::from(*got) - exact).abs() <= bound,
            "{case:?}: attended {i}: {got} {exact}"
        );
    }
}

#[test]
fn global_attention_equals_f64_on_a_thousand_shapes() {
    let mut random = Random(1);
    for seed in 0..1000 {
        let map = [
            1 + random.below(4),
            1 + random.below(4),
            1 + random.below(3),
            1 + random.below(40),
        ];
        let l = 1 + random.below(40);
        let block = [1 + random.below(5), 1 + random.below(5)];
        let case = Case::new(map, block, [l, l], seed).with_marks(seed);
        for precision in [Precision::F32, Precision::Int8] {
            check_exact(&case, precision);
        }
    }
}

#[test]
fn local_attention_equals_f64_given_its_choice() {
    let mut random = Random(2);
    for seed in 0..100 {
        let map = [
            1 + random.below(6),
            1 + random.below(6),
            1 + random.below(3),
            1 + random.below(40),
        ];
        let l = 1 + random.below(40);
        let block = [1 + random.below(5), 1 + random.below(5)];
        let case = Case::new(map, block, [l, 1 + random.below(l)], seed).with_marks(seed);
        for precision in [Precision::F32, Precision::Int8] {
            check_exact(&case, precision);
        }
    }
}

#[test]
fn blocks_choose_what_their_mean_scores_best() {
    for seed in 0..60 {
        let case = Case::new([5, 7, 2, 24], [2, 3], [20, 5], seed).with_marks(seed);
        for (precision, steps) in [(Precision::F32, 0.0), (Precision::Int8, 1.0)] {
            let got = case.run(Isa::Scalar, precision);
            for (block, chosen) in got.chosen.iter().enumerate() {
                check_choice(&case, block, chosen, steps);
            }
        }
    }
}

/// `steps` is 1 where keys and mean are quantized, 0 where not.
fn check_choice(case: &Case, block: usize, chosen: &[u32], steps: f64) {
    let row = case.map.heads * case.map.d;
    let mut sum = vec![0.0_f64; row];
    for cell in (0..case.cells()).filter(|&cell| case.block_of(cell) == block) {
        for (sum, q) in sum.iter_mut().zip(&case.queries[cell * row..]) {
            *sum += f64::from(*q);
        }
    }
    let greatest = sum.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let mut least_chosen = f64::INFINITY;
    let mut best_left = f64::NEG_INFINITY;
    let mut others = 0;
    for t in 0..case.l {
        let key = &case.keys[t * row..][..row];
        let is_chosen = chosen.contains(&(t as u32));
        if !case.valid[t] || case.always[t] {
            assert_eq!(is_chosen, case.valid[t], "token {t}");
            continue;
        }
        let score: f64 = sum.iter().zip(key).map(|(s, k)| s * f64::from(*k)).sum();
        let key_greatest = key.iter().fold(0.0_f64, |a, b| a.max(f64::from(b.abs())));
        let products: f64 = sum
            .iter()
            .map(|s| s.abs() * key_greatest / 253.9)
            .sum::<f64>()
            + key
                .iter()
                .map(|k| f64::from(k.abs()) * greatest / 127.0)
                .sum::<f64>();
        let off = steps * 1.01 * products + 1e-5 * row as f64;
        if is_chosen {
            others += 1;
            least_chosen = least_chosen.min(score + off);
        } else {
            best_left = best_left.max(score - off);
        }
    }
    let candidates = (0..case.l)
        .filter(|&t| case.valid[t] && !case.always[t])
        .count();
    assert_eq!(others, case.top_k.min(candidates));
    assert!(least_chosen >= best_left, "{least_chosen} {best_left}");
    assert!(chosen.is_sorted());
}
