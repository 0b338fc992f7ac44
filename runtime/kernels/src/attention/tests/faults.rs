//! Outputs that are asked for or not, rooms that are used again, and input that makes no sense.

use super::*;

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
