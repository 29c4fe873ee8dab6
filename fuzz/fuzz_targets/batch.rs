//! Fuzzing: the body of a batch or upload, to the fake Workspace. What must hold is in `nuncio_fuzz::batch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nuncio_fuzz::batch::check(data));
