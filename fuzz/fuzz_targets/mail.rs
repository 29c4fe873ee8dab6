//! Fuzzing: the bytes of a mail. What must hold is in `nuncio_fuzz::mail`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nuncio_fuzz::mail::check(data));
