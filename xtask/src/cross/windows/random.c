/* bcryptprimitives.dll for a wine that has none: Rust's standard library imports ProcessPrng from it, and without it no
   program starts. SystemFunction036, which headers call RtlGenRandom, gives random bytes on every Windows and in wine;
   its length has 32 bits, the other's as many as a pointer. */

__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *bytes, unsigned long length);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, unsigned long long length)
{
    const unsigned long most = 1ul << 30;
    while (length > 0) {
        unsigned long part = length < most ? (unsigned long)length : most;
        if (!SystemFunction036(bytes, part))
            return 0;
        bytes += part;
        length -= part;
    }
    return 1;
}
