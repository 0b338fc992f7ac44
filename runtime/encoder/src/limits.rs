//! What a model may ask of the machine.
//!
//! A model file is input from outside: its sizes are claims. Every claim is held against one of these bounds before
//! memory is allocated for it, so that a hostile or broken file costs an error and never the process.

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
