//! Attention on every instruction set against the specification, and the specification against plain arithmetic in f64.

use super::*;
use crate::harness::{Guarded, Place, isas};
use crate::{Isa, Tier};

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as u32
    }

    /// Below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// In -1..1, more often small.
    fn real(&mut self) -> f32 {
        let mut unit = || self.next() as f32 / (1 << 23) as f32 - 1.0;
        unit() * unit()
    }

    fn reals(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.real()).collect()
    }
}

#[derive(Clone, Debug)]
struct Case {
    map: MapShape,
    block: [usize; 2],
    top_k: usize,
    l: usize,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    labels: Vec<u32>,
    label_count: usize,
    valid: Vec<bool>,
    always: Vec<bool>,
    scale: f32,
}

impl Case {
    /// `[height, width, heads, d]`, `[block height, block width]`, `[l, top_k]`; every token is valid, none always chosen.
    fn new(map: [usize; 4], block: [usize; 2], [l, top_k]: [usize; 2], seed: u64) -> Case {
        let mut random = Random(seed);
        let [height, width, heads, d] = map;
        let label_count = l.div_ceil(3);
        Case {
            map: MapShape {
                height,
                width,
                heads,
                d,
            },
            block,
            top_k,
            l,
            queries: random.reals(height * width * heads * d),
            keys: random.reals(l * heads * d),
            values: random.reals(l * heads * d),
            labels: (0..l).map(|_| random.below(label_count) as u32).collect(),
            label_count,
            valid: vec![true; l],
            always: vec![false; l],
            scale: 4.0 / (d as f32).sqrt(),
        }
    }

    /// Some tokens are padding, some always chosen, some both.
    fn with_marks(mut self, seed: u64) -> Case {
        let mut random = Random(seed);
        for t in 0..self.l {
            self.valid[t] = random.below(4) != 0;
            self.always[t] = random.below(5) == 0;
        }
        let kept = random.below(self.l);
        self.valid[kept] = true;
        self
    }

    fn pack(&self, isa: Isa, precision: Precision) -> Result<PackedTokens, TokensError> {
        let MapShape { heads, d, .. } = self.map;
        let tokens = Tokens {
            shape: [self.l, heads, d],
            keys: &self.keys,
            values: &self.values,
            labels: &self.labels,
            label_count: self.label_count,
            valid: &self.valid,
            always: &self.always,
            scale: self.scale,
        };
        PackedTokens::new(isa, precision, tokens)
    }

    fn attention(&self) -> BlockAttention {
        BlockAttention::new(self.map, self.block, self.top_k, self.l)
    }

    fn cells(&self) -> usize {
        self.map.height * self.map.width
    }

    fn run(&self, isa: Isa, precision: Precision) -> Answer {
        let tokens = self.pack(isa, precision).expect("sound tokens");
        let mut attention = self.attention();
        let queries = Guarded::new(&self.queries, Place::BeforeGuard);
        let mut attended = Guarded::new(&vec![f32::NAN; queries.len()], Place::BeforeGuard);
        let places = vec![f32::NAN; self.label_count * self.cells()];
        let mut relevance = Guarded::new(&places, Place::BeforeGuard);
        let outputs = Outputs {
            attended: Some(&mut attended),
            relevance: Some(&mut relevance),
        };
        attention
            .run(&tokens, &queries, outputs)
            .expect("sound cells");
        let [rows, columns] = attention.blocks();
        Answer {
            attended: attended.to_vec(),
            relevance: relevance.to_vec(),
            chosen: (0..rows * columns)
                .map(|block| attention.chosen(block).to_vec())
                .collect(),
        }
    }

    /// The greatest magnitude of a valid value.
    fn value_bound(&self) -> f32 {
        let row = self.map.heads * self.map.d;
        let values = self.values.chunks_exact(row).zip(&self.valid);
        let values = values.filter(|(_, valid)| **valid).flat_map(|(row, _)| row);
        values.fold(0.0, |bound, v| bound.max(v.abs()))
    }

    /// The block of a cell, counted row after row.
    fn block_of(&self, cell: usize) -> usize {
        let columns = self.map.width.div_ceil(self.block[1]);
        let [y, x] = [cell / self.map.width, cell % self.map.width];
        y / self.block[0] * columns + x / self.block[1]
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    attended: Vec<f32>,
    relevance: Vec<f32>,
    chosen: Vec<Vec<u32>>,
}

/// How far attended may be from the specification's, as a multiple of the greatest value.
fn attended_bound(tier: Tier, precision: Precision, chosen: usize) -> f32 {
    match (tier, precision) {
        (Tier::Scalar, _) => 0.0,
        (Tier::DotProd, Precision::Int8) => 18.0 / 2048.0,
        _ => (chosen + 1) as f32 * f32::EPSILON,
    }
}

/// Every instruction set against the specification.
fn check(case: &Case, what: &str) {
    for precision in [Precision::Int8, Precision::F32] {
        let expected = case.run(Isa::Scalar, precision);
        for isa in isas().into_iter().skip(1) {
            let got = case.run(isa, precision);
            let what = || {
                format!(
                    "{what}: {} {precision:?}, {:?} {:?} {}/{}",
                    isa.name(),
                    case.map,
                    case.block,
                    case.top_k,
                    case.l
                )
            };
            assert_eq!(got.chosen, expected.chosen, "{}", what());
            for (i, (got, expected)) in got.relevance.iter().zip(&expected.relevance).enumerate() {
                assert!(
                    got.to_bits() == expected.to_bits(),
                    "{}: relevance {i}: {got} {expected}",
                    what()
                );
            }
            let chosen = got.chosen[0].len();
            let bound = attended_bound(isa.tier(), precision, chosen) * case.value_bound();
            for (i, (got, expected)) in got.attended.iter().zip(&expected.attended).enumerate() {
                assert!(
                    (got - expected).abs() <= bound,
                    "{}: attended {i}: {got} {expected}",
                    what()
                );
            }
        }
    }
}

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

#[test]
fn every_number_of_dimensions_equals_the_specification() {
    for d in (1..=70).chain([79, 96, 111, 112, 127, 128, 129, 130, 192, 200]) {
        check(
            &Case::new([3, 5, 1 + d % 3, d], [2, 2], [11, 3], d as u64),
            "d",
        );
    }
}

#[test]
fn every_block_equals_the_specification() {
    for rows in 1..=5 {
        for columns in 1..=8 {
            for heads in 1..=3 {
                let seed = rows * 100 + columns * 10 + heads;
                check(
                    &Case::new([4, 7, heads, 21], [rows, columns], [13, 4], seed as u64),
                    "block",
                );
            }
        }
    }
    check(&Case::new([1, 1, 1, 16], [9, 9], [6, 2], 1), "one cell");
    check(&Case::new([1, 9, 2, 16], [1, 4], [6, 2], 2), "one row");
    check(&Case::new([9, 1, 2, 16], [4, 1], [6, 2], 3), "one column");
}

#[test]
fn every_number_of_tokens_equals_the_specification() {
    for l in 1..=37 {
        for top_k in (1..=l).filter(|k| k % 5 == l % 5 || *k == l) {
            let seed = (l * 100 + top_k) as u64;
            let case = Case::new([3, 3, 2, 20], [2, 2], [l, top_k], seed);
            check(&case, "tokens");
            check(&case.with_marks(seed), "marked tokens");
        }
    }
    for (l, top_k) in [
        (77, 8),
        (77, 16),
        (100, 17),
        (100, 33),
        (130, 100),
        (130, 130),
    ] {
        for block in [[1, 1], [2, 2]] {
            let case = Case::new([5, 6, 1, 16], block, [l, top_k], 7);
            check(&case.with_marks(7), "many tokens");
        }
    }
}

#[test]
fn many_blocks_equal_the_specification() {
    for side in [9, 13, 14] {
        for block in [1, 2, 4] {
            let case = Case::new([side, side, 2, 64], [block; 2], [40, 8], side as u64);
            check(&case, "map");
        }
    }
}

#[test]
fn equal_tokens_are_chosen_from_the_front() {
    let mut case = Case::new([4, 4, 2, 16], [2, 2], [24, 5], 5);
    let row = 32;
    for t in 1..case.l {
        let first = case.keys[..row].to_vec();
        case.keys[t * row..][..row].copy_from_slice(&first);
    }
    check(&case, "ties");
    for isa in isas() {
        let got = case.run(isa, Precision::Int8);
        assert!(got.chosen.iter().all(|list| list == &[0, 1, 2, 3, 4]));
    }
    // A better one behind the ties takes the place of the last of them.
    case.keys[20 * row..][..row].copy_from_slice(&case.queries[..row]);
    case.queries[..row].fill(0.0);
    for cell in [1, 4, 5] {
        let best = case.keys[20 * row..].to_vec();
        case.queries[cell * row..][..row].copy_from_slice(&best[..row]);
    }
    check(&case, "ties and one better");
    for isa in isas() {
        let got = case.run(isa, Precision::Int8);
        assert_eq!(got.chosen[0], [0, 1, 2, 3, 20], "{}", isa.name());
    }
}

#[test]
fn extremes_equal_the_specification() {
    for magnitude in [1e-40, 1e-30, 1e-12, 1e6, 2e14] {
        for block in [[1, 1], [2, 2]] {
            let mut case = Case::new([3, 4, 2, 18], block, [19, 6], 11);
            case.queries.iter_mut().for_each(|x| *x *= magnitude);
            check(&case, "queries");
            case.keys.iter_mut().for_each(|x| *x *= magnitude);
            check(&case, "queries and keys");
            case.scale = 65536.0;
            check(&case, "and scale");
            case.values.iter_mut().for_each(|x| *x *= magnitude);
            check(&case, "and values");
            let got = case.run(Isa::Scalar, Precision::Int8);
            let all = got.attended.iter().chain(&got.relevance);
            assert!(all.into_iter().all(|x| x.is_finite()));
        }
    }
    for (query, key) in [(1.0, 1.0), (1.0, -1.0), (0.0, 1.0), (-1.0, 0.0)] {
        let mut case = Case::new([4, 4, 1, 130], [3, 2], [9, 4], 12);
        case.queries.fill(query);
        case.keys.fill(key);
        check(&case, "constants");
    }
}

#[test]
fn values_of_every_magnitude_keep_their_bound() {
    for exponent in [-60, -20, -7, -6, -1, 0, 5, 13, 14, 15, 16, 40] {
        let mut case = Case::new([2, 2, 1, 16], [2, 2], [9, 4], 13);
        let magnitude = (exponent as f32).exp2();
        case.values.iter_mut().for_each(|x| *x *= magnitude);
        check(&case, "values");
        case.values.fill(0.0);
        check(&case, "no values");
    }
}

#[test]
fn zero_cells_look_at_all_their_tokens_alike() {
    let mut case = Case::new([2, 2, 2, 16], [2, 2], [8, 8], 14);
    case.queries.fill(0.0);
    case.label_count = 8;
    case.labels = (0..8).collect();
    for isa in isas() {
        for precision in [Precision::Int8, Precision::F32] {
            let got = case.run(isa, precision);
            assert!(got.relevance.iter().all(|w| (w - 0.125).abs() < 1e-6));
        }
    }
}

#[test]
fn outputs_do_not_depend_on_each_other() {
    for isa in isas() {
        for precision in [Precision::Int8, Precision::F32] {
            for block in [[1, 1], [2, 3]] {
                let case = Case::new([5, 5, 2, 20], block, [30, 6], 15);
                let both = case.run(isa, precision);
                let tokens = case.pack(isa, precision).expect("sound tokens");
                let mut attention = case.attention();
                let mut attended = vec![f32::NAN; case.queries.len()];
                let outputs = Outputs {
                    attended: Some(&mut attended),
                    relevance: None,
                };
                attention
                    .run(&tokens, &case.queries, outputs)
                    .expect("sound cells");
                assert_eq!(attended, both.attended);
                let mut relevance = vec![f32::NAN; case.label_count * case.cells()];
                let outputs = Outputs {
                    attended: None,
                    relevance: Some(&mut relevance),
                };
                attention
                    .run(&tokens, &case.queries, outputs)
                    .expect("sound cells");
                assert_eq!(relevance, both.relevance);
                attention
                    .run(&tokens, &case.queries, Outputs::default())
                    .expect("sound cells");
                assert_eq!(attention.chosen(1), both.chosen[1]);
            }
        }
    }
}

#[test]
fn one_room_serves_many_prompt_sets() {
    for isa in isas() {
        let mut attention = BlockAttention::new(
            Case::new([5, 5, 2, 20], [2, 2], [1, 6], 0).map,
            [2, 2],
            6,
            64,
        );
        assert!(attention.chosen(8).is_empty());
        for l in [64, 5, 33, 7, 64, 1] {
            let case = Case::new([5, 5, 2, 20], [2, 2], [l, 6], l as u64);
            let tokens = case.pack(isa, Precision::Int8).expect("sound tokens");
            let mut relevance = vec![0.0; case.label_count * 25];
            let outputs = Outputs {
                attended: None,
                relevance: Some(&mut relevance),
            };
            attention
                .run(&tokens, &case.queries, outputs)
                .expect("sound cells");
            let expected = case.run(isa, Precision::Int8);
            assert_eq!(relevance, expected.relevance);
            assert_eq!(attention.chosen(8), expected.chosen[8]);
        }
    }
}

#[test]
fn a_cell_that_is_no_number_is_named() {
    let case = Case::new([5, 6, 2, 19], [2, 4], [12, 3], 16);
    for isa in isas() {
        for precision in [Precision::Int8, Precision::F32] {
            for top_k in [3, 12] {
                let tokens = case.pack(isa, precision).expect("sound tokens");
                let mut attention = BlockAttention::new(case.map, case.block, top_k, 12);
                for bad in [
                    f32::NAN,
                    -f32::NAN,
                    f32::INFINITY,
                    f32::NEG_INFINITY,
                    MAX_MAGNITUDE,
                    -f32::MAX,
                ] {
                    for cell in 0..30 {
                        let mut queries = case.queries.clone();
                        queries[cell * 38 + (cell * 7) % 38] = bad;
                        let mut relevance = vec![0.0; 30 * case.label_count];
                        let outputs = Outputs {
                            attended: None,
                            relevance: Some(&mut relevance),
                        };
                        let error = attention.run(&tokens, &queries, outputs).unwrap_err();
                        assert_eq!(
                            error,
                            QueryError {
                                y: cell / 6,
                                x: cell % 6
                            }
                        );
                        assert!(error.to_string().contains(&format!(
                            "({}, {})",
                            cell / 6,
                            cell % 6
                        )));
                        assert!(attention.chosen(0).is_empty());
                    }
                }
            }
        }
    }
}

#[test]
fn tokens_that_are_no_numbers_are_named() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, MAX_MAGNITUDE] {
        for precision in [Precision::Int8, Precision::F32] {
            let mut case = Case::new([1, 1, 2, 3], [1, 1], [4, 1], 17);
            case.values[3 * 6 + 5] = bad;
            let error = case.pack(Isa::Scalar, precision).unwrap_err();
            assert_eq!(error, TokensError::Value { token: 3 });
            case.keys[6] = bad;
            let error = case.pack(Isa::Scalar, precision).unwrap_err();
            assert_eq!(error, TokensError::Key { token: 1 });
            assert!(error.to_string().contains("token 1"));
            // Padding may hold anything.
            case.valid = vec![true, false, true, false];
            assert_eq!(
                case.pack(Isa::Scalar, precision)
                    .expect("two")
                    .valid_count(),
                2
            );
        }
    }
}

#[test]
fn tokens_need_one_that_is_valid_and_sizes_that_fit() {
    let mut case = Case::new([1, 1, 1, 1], [1, 1], [3, 1], 18);
    case.valid.fill(false);
    assert_eq!(
        case.pack(Isa::Scalar, Precision::Int8).unwrap_err(),
        TokensError::NoneValid
    );
    let case = Case::new([1, 1, 2, 80_000], [1, 1], [1, 1], 18);
    let error = case.pack(Isa::Scalar, Precision::Int8).unwrap_err();
    assert_eq!(
        error,
        TokensError::TooLarge {
            shape: [1, 2, 80_000]
        }
    );
}

#[test]
#[should_panic(expected = "tokens of 2 heads of 4 for cells of 2 heads of 5")]
fn tokens_of_other_heads_are_a_mistake() {
    let case = Case::new([1, 1, 2, 4], [1, 1], [3, 1], 19);
    let tokens = case
        .pack(Isa::Scalar, Precision::Int8)
        .expect("sound tokens");
    let map = MapShape { d: 5, ..case.map };
    let mut attention = BlockAttention::new(map, [1, 1], 1, 3);
    let _ = attention.run(&tokens, &[0.0; 10], Outputs::default());
}

#[test]
#[should_panic(expected = "3 tokens, and room for 2")]
fn more_tokens_than_there_is_room_for_are_a_mistake() {
    let case = Case::new([1, 1, 2, 4], [1, 1], [3, 1], 19);
    let tokens = case
        .pack(Isa::Scalar, Precision::Int8)
        .expect("sound tokens");
    let mut attention = BlockAttention::new(case.map, [1, 1], 1, 2);
    let _ = attention.run(&tokens, &case.queries, Outputs::default());
}
