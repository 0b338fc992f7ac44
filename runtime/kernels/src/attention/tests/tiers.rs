//! Every instruction set against the specification: choice and relevance bit for bit, attended within its bound.

use super::*;
use crate::Tier;

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
fn every_number_of_chosen_tokens_equals_the_specification() {
    for top_k in 1..=41 {
        for block in [[1, 1], [2, 2]] {
            let d = [64, 96, 128][top_k % 3];
            let case = Case::new([3, 5, 1, d], block, [41, top_k], top_k as u64);
            check(&case, "chosen tokens");
        }
    }
}

#[test]
fn large_unions_equal_the_specification() {
    for (l, top_k) in [(256, 4), (257, 20), (300, 9), (700, 16), (1040, 5)] {
        let case = Case::new([3, 3, 1, 16], [2, 2], [l, top_k], l as u64);
        check(&case, "large union");
        check(&case.with_marks(3), "large union with marks");
    }
}

#[test]
fn ties_at_the_last_place_equal_the_specification() {
    // Few kinds of keys: no score tells just those that are chosen from the others, and ties reach across the sixteens that
    // share a maximum.
    for (l, top_k) in [(24, 15), (40, 20), (64, 13), (600, 40)] {
        for kinds in [1, 3, 7] {
            let mut case = Case::new([2, 2, 1, 16], [2, 2], [l, top_k], kinds as u64);
            for t in 0..l {
                let from = t % kinds * 16;
                let key = case.keys[from..from + 16].to_vec();
                case.keys[t * 16..][..16].copy_from_slice(&key);
            }
            check(&case, "ties");
            check(&case.with_marks(5), "ties with marks");
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
fn tokens_without_values_have_the_same_relevance() {
    let case = Case::new([3, 5, 2, 21], [2, 2], [13, 4], 5);
    let tokens = Tokens {
        shape: [case.l, 2, 21],
        keys: &case.keys,
        values: None,
        labels: &case.labels,
        label_count: case.label_count,
        valid: &case.valid,
        always: &case.always,
        scale: case.scale,
    };
    for precision in [Precision::Int8, Precision::F32] {
        for isa in isas() {
            let packed = PackedTokens::new(isa, precision, tokens).expect("sound tokens");
            let mut relevance = vec![f32::NAN; case.label_count * case.cells()];
            let outputs = Outputs {
                relevance: Some(&mut relevance),
                attended: None,
            };
            case.attention()
                .run(&packed, &case.queries, outputs)
                .expect("sound cells");
            assert_eq!(relevance, case.run(isa, precision).relevance);
        }
    }
}
