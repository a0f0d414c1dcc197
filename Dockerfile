# docker build -t unisono . && docker run -p 8000:8000 -e UNISONO_API_KEYS=sk-choose-one unisono
FROM python:3.12-slim
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY unisono unisono
# torch from PyPI brings CUDA with it; pass --build-arg INDEX="--index-url ..." with PyTorch's CPU index for a small image.
ARG INDEX=""
RUN pip install --no-cache-dir ${INDEX} -c constraints.txt torch && pip install --no-cache-dir -c constraints.txt ".[serve]"
RUN useradd --create-home unisono
USER unisono
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
CMD ["unisono", "serve", "--host", "0.0.0.0", "--port", "8000"]
