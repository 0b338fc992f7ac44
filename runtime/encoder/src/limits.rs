//! What a model may ask of the machine.
//!
//! A model file is input from outside: its sizes are claims. Every claim is held against one of these bounds before
//! memory is allocated for it, so that a hostile or broken file costs an error and never the process.

use std::fmt;

/// Upper bounds that [`CheckedModel::scan`](crate::CheckedModel::scan) and the plans made from it enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes: usize,
    /// Nodes, those of nested subgraphs included.
    pub nodes: usize,
    /// Axes of a tensor.
    pub rank: usize,
    /// Bytes of one constant tensor.
    pub tensor_bytes: usize,
    /// Bytes of one tensor that comes into being while a plan is made or run.
    pub activation_bytes: usize,
    /// Messages, names and list elements in the file. Two bytes of protobuf can stand for a structure of a hundred
    /// bytes in memory, so the file's size alone bounds nothing.
    pub parts: usize,
    /// Graphs nested in one another.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            file_bytes: 256 << 20,
            nodes: 20_000,
            rank: 8,
            tensor_bytes: 64 << 20,
            activation_bytes: 256 << 20,
            parts: 1_000_000,
            depth: 16,
        }
    }
}

/// Which of the [`Limits`] was exceeded. Displays as the unit that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `file_bytes`
    File,
    /// `nodes`
    Nodes,
    /// `rank`
    Rank,
    /// `tensor_bytes`
    Tensor,
    /// `activation_bytes`
    Activation,
    /// `parts`
    Parts,
    /// `depth`
    Depth,
}

impl Limit {
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Limit::File | Limit::Nodes | Limit::Parts => "use a smaller model",
            Limit::Rank => "re-export with tensors of fewer axes",
            Limit::Tensor => "split the tensor or use a smaller model",
            Limit::Activation => "make the plan for a smaller input, or use a smaller model",
            Limit::Depth => "re-export without nested control flow",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::File | Limit::Tensor | Limit::Activation => "bytes",
            Limit::Nodes => "nodes",
            Limit::Rank => "axes",
            Limit::Parts => "messages, names and list elements",
            Limit::Depth => "nested graphs",
        })
    }
}
