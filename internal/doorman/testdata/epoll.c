/* The floor: one epoll loop that accepts, reads, and sends the same answer to everybody. It prints its port, and ends
 * with its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
	const char *answer = argv[1];
	size_t length = strlen(answer);
	char in[8192];
	struct epoll_event events[256];
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof addr;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
	if (argc != 2 || bind(l, (struct sockaddr *)&addr, size) || listen(l, 65535) ||
	    getsockname(l, (struct sockaddr *)&addr, &size))
		return 1;
	printf("%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	struct epoll_event e = {.events = EPOLLIN, .data.fd = l};
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
	e.data.fd = 0;
	epoll_ctl(ep, EPOLL_CTL_ADD, 0, &e);
	for (;;) {
		int n = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == 0)
				return 0;
			if (fd == l) {
				int c = accept4(l, NULL, NULL, SOCK_NONBLOCK);
				if (c < 0)
					continue;
				e.events = EPOLLIN;
				e.data.fd = c;
				epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
				continue;
			}
			if (recv(fd, in, sizeof in, 0) > 0)
				send(fd, answer, length, MSG_NOSIGNAL);
			close(fd);
		}
	}
}
