//! Sizes and offsets of every struct, as they were when the header's generation began. A struct may grow at its end, and
//! then has a second line here; nothing else may change without a new generation.

use super::*;
use std::mem::offset_of;

/// A line for each field: its offset, struct and name.
macro_rules! layout {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        vec![$(
            format!("{} {}", stringify!($name), size_of::<$name>()),
            $(format!("    {} {}", stringify!($field), offset_of!($name, $field)),)*
        )*]
    };
}

#[test]
fn the_layout_is_the_committed_one() {
    let lines = layout! {
        ocellus_file { name, data, size }
        ocellus_runtime_options { struct_size, isa_at_most, cpu_mask, log, log_context, log_level, threads, memory_limit_bytes }
        ocellus_session_options {
            struct_size, policy, resolution, margin, thresholds_bits, threshold_count, crop, relevance, block_height,
            block_width, top_k, on_result, on_result_context, when_busy, stale_after_us, budget_us, templates,
            template_count, prompt_mix,
        }
        ocellus_plane { data, offset, stride, size, fd }
        ocellus_frame {
            struct_size, fourcc, width, height, plane_count, matrix, range, rotation, flip_horizontal, flip_vertical,
            crop_x, crop_y, crop_width, crop_height, timestamp_ns, cookie, planes,
        }
        ocellus_hit { label, score, probability }
        ocellus_result {
            struct_size, label_count, hit_count, no_match, match_probability, entropy_bits, resolution, escalated,
            dropped, flags, decode_us, queue_us, look_us, resize_us, encode_us, heads_us, total_us, timestamp_ns, cookie,
        }
        ocellus_relevance {
            struct_size, rows, columns, has_peak, peak_x_px, peak_y_px, local_score, view_x_px, view_y_px,
            view_width_px, view_height_px,
        }
        ocellus_route {
            struct_size, weight, name, label, sessions, session_count, latency_threshold_us,
        }
        ocellus_candidate { skipped, semantic_match, score, latency_us, latency_threshold_us }
        ocellus_choice { struct_size, taken, candidate_count, scout_us }
        ocellus_router_options {
            struct_size, semantic_weight, latency_weight, resolution, words, word_count, crop,
        }
    };
    let got = lines.join("\n") + "\n";
    assert_eq!(got, include_str!("../../abi/layout.txt"), "\n{got}");
}
