//! Fuzzing: the body of any answer that holds a list. What must hold is in `nuncio_fuzz::answers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nuncio_fuzz::answers::check(data));
