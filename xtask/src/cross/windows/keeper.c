/* Runs as long as somebody holds the other end of its standard input. While a process runs, wine's server and services
   stay: otherwise the next program waits for them to start, and they inherit its output, which then does not end with it.
   It ends by itself when who started it is gone, however that came about. */

#include <stdio.h>

int main(void)
{
    /* Who waits for it knows by this line that wine is up. */
    puts("up");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
