//! How much memory an instance may have, and what it has. Its time is bounded where it is
//! called, in `instance.rs`.

use wasmtime::ResourceLimiter;

/// Entries of all tables of one component; a language runtime needs some thousand.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// The share of its memory after which an instance is replaced once its call is over, in
/// quarters: its heap does not shrink, and the next call should not be the one that fails.
const HIGH_WATER_QUARTERS: usize = 3;

/// Memory of one instance, all its linear memories together, in bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    max_bytes: usize,
    used_bytes: usize,
    was_denied: bool,
}

impl Memory {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            used_bytes: 0,
            was_denied: false,
        }
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Whether the instance asked for more than it may have. A guest may live with that; if it
    /// traps afterwards, this is why.
    pub(crate) fn was_denied(&self) -> bool {
        self.was_denied
    }

    /// Forgets a denial that a guest lived with, at the beginning of a call.
    pub(crate) fn begin_call(&mut self) {
        self.was_denied = false;
    }

    pub(crate) fn is_past_high_water(&self) -> bool {
        self.used_bytes > self.max_bytes / 4 * HIGH_WATER_QUARTERS
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self
            .used_bytes
            .saturating_sub(current)
            .saturating_add(desired);
        if wanted > self.max_bytes {
            self.was_denied = true;
            return Ok(false);
        }
        self.used_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together() {
        let mut memory = Memory::new(100);
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(memory.memory_growing(0, 30, None).unwrap());
        assert!(!memory.is_past_high_water());
        assert!(!memory.memory_growing(40, 80, None).unwrap());
        assert!(memory.was_denied());
        memory.begin_call();
        assert!(!memory.was_denied());
        assert!(memory.memory_growing(40, 70, None).unwrap());
        assert!(memory.is_past_high_water());
    }
}
