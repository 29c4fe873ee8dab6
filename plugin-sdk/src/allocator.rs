//! The guest's allocator: small blocks by size class, the rest to Rust's own. A record
//! brings some thirty small strings, each allocated and freed once, and this is where a
//! guest that does little else spends its time. For WebAssembly without threads only.
//!
//! # Who owns what
//!
//! A guest has two owners of memory: Rust, and the C library below std, which calls the host
//! itself (files, clocks, environment). The host puts lists and strings where the canonical
//! ABI's `realloc` tells it
//! (<https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>), and a
//! component has one function for that, `cabi_realloc`, unless it says otherwise. wit-bindgen's
//! takes memory from Rust's global allocator. But the answers to calls of the C library are
//! freed by the C library, with `free` (names of a folder by `readdir`, preopened folders, bytes
//! of a `read`). With Rust's own allocator that is right by luck: it is `malloc` too. With any
//! other, a block of ours gets to `free`, and the first file that a plugin reads is a trap or a
//! broken heap.
//!
//! So there are two functions, by the direction of the call, which is the only thing that the
//! tool that makes the component tells apart (`cabi_export_realloc`, `cabi_import_realloc` in
//! wit-component):
//! - arguments of our exports, the records: from the size classes. Nobody but Rust sees them.
//! - results of imports: from `malloc`, for their owner may be either. C frees them with `free`;
//!   Rust frees them with [`SizeClasses`], which knows its own blocks by their address and gives
//!   all others to [`System`], which is `free`.
//!
//! A tool that does not know the two names takes `cabi_realloc`, which is `malloc` here too: then
//! all is slower and nothing is wrong.
#![cfg(any(target_family = "wasm", test))]
#![expect(
    unsafe_code,
    reason = "an allocator deals in raw memory; a guest has one thread"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;

#[cfg(all(target_family = "wasm", target_feature = "atomics"))]
compile_error!("the allocator is for one thread");

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: SizeClasses = SizeClasses::new();

/// Size of the smallest class, and the alignment of every block.
const SMALLEST: usize = 16;
/// Blocks above this size come from the system.
const LARGEST: usize = 4096;
/// How much is taken from the system at a time; also the alignment of it.
const CHUNK_BYTES: usize = 64 * 1024;
/// As many chunks as there can be: all that 32 bits can address. Addresses of the tests are longer
/// and are told apart by their lower half, which is enough for one thread's heap.
const MAX_CHUNKS: usize = 1 << 16;
/// 16, 32, 48, 64, 96, 128, 192, .. 3072, 4096: two classes for each doubling.
const N_CLASSES: usize = 16;

/// A free block; the link lies in the block itself.
struct Free {
    next: *mut Free,
}

struct State {
    free: [*mut Free; N_CLASSES],
    /// The rest of the newest chunk, not handed out yet.
    chunk: *mut u8,
    chunk_left: usize,
    /// Which parts of the address space are chunks of ours, a bit each.
    chunks: [u64; MAX_CHUNKS / 64],
}

impl State {
    /// Whether the block lies in a chunk of ours.
    #[inline]
    fn owns(&self, block: *mut u8) -> bool {
        let (word, bit) = place(block);
        self.chunks[word] & bit != 0
    }
}

/// Where a chunk's bit stands.
#[inline]
fn place(block: *mut u8) -> (usize, u64) {
    let chunk = block as usize / CHUNK_BYTES % MAX_CHUNKS;
    (chunk / 64, 1 << (chunk % 64))
}

/// An allocator for one thread. Memory of small blocks is used again but never given back.
struct SizeClasses {
    state: UnsafeCell<State>,
}

// SAFETY: a guest without atomics has one thread, and allocation does not call back into
// the plugin, so the state is never reached twice at a time. Tests keep their own instance
// on one thread.
unsafe impl Sync for SizeClasses {}

impl SizeClasses {
    const fn new() -> Self {
        let state = State {
            free: [ptr::null_mut(); N_CLASSES],
            chunk: ptr::null_mut(),
            chunk_left: 0,
            chunks: [0; MAX_CHUNKS / 64],
        };
        Self {
            state: UnsafeCell::new(state),
        }
    }
}

/// The class for a layout, or none where the system has to serve it. Depends on nothing but
/// the layout, so that freeing finds the same class.
fn class_of(layout: Layout) -> Option<usize> {
    if layout.size() > LARGEST || layout.align() > SMALLEST {
        return None;
    }
    let size = layout.size().max(SMALLEST);
    if size <= 2 * SMALLEST {
        return Some((size - 1) / SMALLEST);
    }
    // The power of two below the size, and whether one and a half times that is enough.
    let power = (size - 1).ilog2() as usize;
    let half_is_enough = size <= (1 << power) + (1 << (power - 1));
    Some(2 * (power - 5) + if half_is_enough { 2 } else { 3 })
}

/// The size of a class's blocks: a multiple of 16.
fn class_size(class: usize) -> usize {
    match class {
        0 => 16,
        1 => 32,
        _ => {
            let power = class / 2 + 4;
            if class.is_multiple_of(2) {
                (1 << power) + (1 << (power - 1))
            } else {
                2 << power
            }
        }
    }
}

// SAFETY: blocks of a class are at least as large as every layout of that class, aligned to
// 16, and in one of: the chunk's rest, a free list, the plugin's hands.
unsafe impl GlobalAlloc for SizeClasses {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else {
            // SAFETY: the caller's promise on the layout is passed on.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: one thread, see `Sync`.
        let state = unsafe { &mut *self.state.get() };
        let block = state.free[class];
        if block.is_null() {
            return carve(state, class_size(class));
        }
        // SAFETY: a block in a free list holds a valid link, written by `dealloc`.
        state.free[class] = unsafe { (*block).next };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: one thread, see `Sync`.
        let state = unsafe { &mut *self.state.get() };
        let Some(class) = class_of(layout).filter(|_| state.owns(block)) else {
            // SAFETY: too large for us, or not from us: the host got it from the system.
            return unsafe { System.dealloc(block, layout) };
        };
        let block = block.cast::<Free>();
        // SAFETY: the block is ours again, at least 16 bytes and aligned to 16.
        unsafe {
            block.write(Free {
                next: state.free[class],
            })
        };
        state.free[class] = block;
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `new_size` makes a valid layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let (old_class, new_class) = (class_of(layout), class_of(new_layout));
        // SAFETY: one thread, see `Sync`.
        let is_ours = old_class.is_some() && unsafe { &*self.state.get() }.owns(block);
        if !is_ours && new_class.is_none() {
            // SAFETY: the system's before and after.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        if is_ours && old_class == new_class {
            return block;
        }
        // SAFETY: a fresh block for a valid layout, a copy of what both have, and the old
        // block freed with the layout it was made with.
        unsafe {
            let new_block = self.alloc(new_layout);
            if !new_block.is_null() {
                ptr::copy_nonoverlapping(block, new_block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new_block
        }
    }
}

/// Takes a block that was never handed out. Null where the system has no memory.
fn carve(state: &mut State, size: usize) -> *mut u8 {
    if state.chunk_left < size {
        // What is left of the old chunk (less than 4 KiB) is given up.
        let layout =
            Layout::from_size_align(CHUNK_BYTES, CHUNK_BYTES).expect("a constant and valid layout");
        // SAFETY: the layout is not empty.
        let chunk = unsafe { System.alloc(layout) };
        if chunk.is_null() {
            return chunk;
        }
        let (word, bit) = place(chunk);
        state.chunks[word] |= bit;
        state.chunk = chunk;
        state.chunk_left = CHUNK_BYTES;
    }
    let block = state.chunk;
    // SAFETY: `size` bytes are left in the chunk.
    state.chunk = unsafe { block.add(size) };
    state.chunk_left -= size;
    block
}

/// What the host calls for the arguments of exports. Traps where there is no memory.
///
/// # Safety
/// As the canonical ABI's `realloc`.
#[cfg(target_family = "wasm")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_export_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: passed on.
    unsafe { realloc_from(&ALLOCATOR, old, old_size, align, new_size) }
}

/// What the host calls for the results of imports; also of those that C calls.
///
/// # Safety
/// As the canonical ABI's `realloc`.
#[cfg(target_family = "wasm")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_import_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: passed on.
    unsafe { realloc_from(&System, old, old_size, align, new_size) }
}

/// For tools that do not tell the two apart, and instead of wit-bindgen's, which is weak.
///
/// # Safety
/// As the canonical ABI's `realloc`.
#[cfg(target_family = "wasm")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: passed on.
    unsafe { realloc_from(&System, old, old_size, align, new_size) }
}

/// The canonical ABI's `realloc` with memory from `allocator`.
#[cfg(target_family = "wasm")]
#[inline]
unsafe fn realloc_from(
    allocator: &impl GlobalAlloc,
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: the host gives a valid size and alignment, and as `old` what it got here.
    let block = unsafe {
        if old_size == 0 {
            if new_size == 0 {
                // Nothing to own; as Rust and C have it for an empty list.
                return ptr::without_provenance_mut(align);
            }
            allocator.alloc(Layout::from_size_align_unchecked(new_size, align))
        } else {
            let layout = Layout::from_size_align_unchecked(old_size, align);
            allocator.realloc(old, layout, new_size)
        }
    };
    if block.is_null() {
        std::process::abort();
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_cover_all_sizes_and_waste_at_most_half() {
        for size in 0..=LARGEST {
            let class = class_of(Layout::from_size_align(size, 8).unwrap()).unwrap();
            assert!(class < N_CLASSES, "{size}");
            assert!(class_size(class) >= size, "{size} in {}", class_size(class));
            assert!(
                class == 0 || class_size(class - 1) < size,
                "{size} fits into a smaller class"
            );
            assert!(class_size(class).is_multiple_of(SMALLEST));
        }
        assert_eq!(
            class_of(Layout::from_size_align(LARGEST + 1, 8).unwrap()),
            None
        );
        assert_eq!(class_of(Layout::from_size_align(64, 32).unwrap()), None);
    }

    proptest! {
        /// Blocks never overlap and keep their bytes through growing, shrinking and reuse; some
        /// come from the system, as the host's answers do, and go back there.
        #[test]
        fn blocks_keep_their_bytes(steps in proptest::collection::vec((any::<u8>(), 1usize..6000), 1..200)) {
            let allocator = SizeClasses::new();
            let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
            for (step, (choice, size)) in steps.into_iter().enumerate() {
                let mark = (step % 251) as u8;
                if choice % 3 == 0 && !live.is_empty() {
                    let (block, layout, mark) = live.swap_remove(usize::from(choice) % live.len());
                    // SAFETY: the block came from this allocator with this layout.
                    unsafe {
                        prop_assert!(std::slice::from_raw_parts(block, layout.size()).iter().all(|&b| b == mark));
                        allocator.dealloc(block, layout);
                    }
                } else if choice % 3 == 1 && !live.is_empty() {
                    let at = usize::from(choice) % live.len();
                    let (block, layout, old_mark) = live[at];
                    let new_layout = Layout::from_size_align(size, layout.align()).unwrap();
                    // SAFETY: as above; the new size is not zero.
                    unsafe {
                        let block = allocator.realloc(block, layout, size);
                        let kept = std::slice::from_raw_parts(block, size.min(layout.size()));
                        prop_assert!(kept.iter().all(|&b| b == old_mark));
                        block.write_bytes(mark, size);
                        live[at] = (block, new_layout, mark);
                    }
                } else {
                    let layout = Layout::from_size_align(size, 1 << (choice % 6)).unwrap();
                    let is_foreign = choice >= 192;
                    // SAFETY: the layout is not empty.
                    unsafe {
                        let block = if is_foreign { System.alloc(layout) } else { allocator.alloc(layout) };
                        prop_assert!((block as usize).is_multiple_of(layout.align()));
                        block.write_bytes(mark, size);
                        live.push((block, layout, mark));
                    }
                }
            }
            for (block, layout, mark) in live {
                // SAFETY: as above.
                unsafe {
                    prop_assert!(std::slice::from_raw_parts(block, layout.size()).iter().all(|&b| b == mark));
                    allocator.dealloc(block, layout);
                }
            }
        }
    }
}
