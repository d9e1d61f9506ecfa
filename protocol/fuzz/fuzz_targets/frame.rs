//! Frames in pieces of any size.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scrip_protocol_fuzz::frame(data));
