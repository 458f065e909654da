/* What network.py runs in containers, small and fast so that it is not what is measured.
 *
 *   netbench http PORT                        answers each connection with a few bytes and closes it
 *   netbench ask SECONDS PAUSE_US NAME...     asks 127.0.0.11 for the names in turn, one question at a time; prints
 *                                             answers, failures, and the times of 50, 99, 99.9 and 100 % in µs
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int http(int port) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    char request[4096];
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) { perror("listen"); return 1; }
    for (;;) {
        int client = accept(listener, 0, 0);
        if (client < 0) continue;
        if (read(client, request, sizeof request) > 0 && write(client, answer, sizeof answer - 1) < 0) perror("write");
        close(client);
    }
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static int ask(double seconds, int pause, int names, char **name) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = inet_addr("127.0.0.11")};
    struct timeval patience = {.tv_sec = 2};
    size_t room = 1 << 22, count = 0, failed = 0;
    float *times = malloc(room * sizeof *times);
    unsigned char query[512], reply[4096];
    int out = socket(AF_INET, SOCK_DGRAM, 0);
    double begin = now(), at = begin;
    if (connect(out, (void *)&server, sizeof server)) { perror("connect"); return 1; }
    setsockopt(out, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (unsigned number = 0; at - begin < seconds && count < room; number++) {
        const char *text = name[number % names];
        size_t length = strlen(text);
        unsigned char head[12] = {number >> 8, number, 1, 0, 0, 1};
        memcpy(query, head, 12);
        query[12] = length;
        memcpy(query + 13, text, length);
        memcpy(query + 13 + length, "\0\0\1\0\1", 5);
        ssize_t got = -1;
        if (send(out, query, 18 + length, 0) > 0)
            do got = recv(out, reply, sizeof reply, 0);
            while (got >= 2 && memcmp(reply, query, 2));
        double after = now();
        if (got > 12 && (reply[3] & 15) == 0 && reply[7] > 0) times[count++] = (after - at) * 1e6;
        else failed++;
        if (pause) usleep(pause);
        at = pause ? now() : after;
    }
    qsort(times, count, sizeof *times, by_size);
    float of[4] = {0};
    if (count) {
        double parts[] = {.5, .99, .999, 1};
        for (int i = 0; i < 4; i++) of[i] = times[(size_t)((count - 1) * parts[i])];
    }
    printf("%zu %zu %.0f %.0f %.0f %.0f\n", count, failed, of[0], of[1], of[2], of[3]);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "http")) return http(atoi(argv[2]));
    if (argc > 4 && !strcmp(argv[1], "ask")) return ask(atof(argv[2]), atoi(argv[3]), argc - 4, argv + 4);
    fprintf(stderr, "netbench http PORT | ask SECONDS PAUSE_US NAME...\n");
    return 2;
}
